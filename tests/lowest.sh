#!/bin/sh
# Install the lowest versions that pyproject.toml allows, and run the fast tests of the core with them.
set -eu
python=${PYTHON:-python3.11}
folder=${LOWEST_VENV:-.venv-lowest}
test -x "$folder/bin/uv" || { "$python" -m venv "$folder"; "$folder/bin/python" -m pip install -q uv; }
"$folder/bin/uv" pip install -q --python "$folder/bin/python" --resolution lowest-direct \
  -e '.[eval,parquet,report,testing]' -e ./plugins/cvad -e ./plugins/openai
# What only the tests use is not lowest. Those that expect an engine are left out: none is installed here.
"$folder/bin/uv" pip install -q --python "$folder/bin/python" --constraint constraints.txt \
  hypothesis huggingface_hub
"$folder/bin/python" -m pytest -q -m "not engine" -W "ignore:'mode' parameter:DeprecationWarning" \
  --deselect tests/cli/test_doctor.py::test_the_report_as_json \
  --deselect tests/cli/test_texts_from_outside.py::test_arguments_in_messages \
  --deselect tests/config/test_trust.py::test_no_option_that_gives_something_away_is_harmless \
  --deselect "tests/registry/test_numbers.py::test_no_option_of_a_component_takes_a_number_beyond_sense[encoder]" \
  tests/assemble tests/builtin tests/cli tests/config tests/core tests/engine tests/evaluation tests/kit tests/metrics \
  tests/registry tests/report tests/results tests/pages plugins/cvad plugins/openai
