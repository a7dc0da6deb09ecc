"""The method run over streams: plan, look ahead, answer, collect, and hand on."""
