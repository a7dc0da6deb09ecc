"""The boundary around components of plugins: whatever goes wrong inside is an error that names the plugin.

``failures`` turns exceptions into sentences, ``slow_calls`` reports what takes long, ``results`` checks what methods
return, and ``component`` puts all three around a component. `Registry.create` is its only user.
"""
