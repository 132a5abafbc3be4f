"""The JSON schemas of a configuration and of config/data.yaml, generated from the declarations.

``python -m lm_interpolation.study.schema`` writes them to workflow/schemas for editors: they complete and check a
file whose first line is ``# yaml-language-server: $schema=<path>``.
"""

import json
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from lm_interpolation.jobs.places import WORKFLOW
from lm_interpolation.study.downloads import Catalogue
from lm_interpolation.study.kinds.base import Declaration
from lm_interpolation.study.kinds.study_config import StudyConfig

SCHEMA = WORKFLOW / "schemas" / "config.schema.json"
DATA_SCHEMA = WORKFLOW / "schemas" / "data.schema.json"

_DECLARATIONS: dict[Path, type[Declaration]] = {SCHEMA: StudyConfig, DATA_SCHEMA: Catalogue}


class _Generator(GenerateJsonSchema):
    """pydantic's schema without titles of keys and without defaults of None, which a file may not contain."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        found = super().default_schema(schema)
        if found.get("default", ...) is None:
            del found["default"]
        if "default_factory" in schema:
            default = schema["default_factory"]()  # type: ignore[call-arg]
            # A declaration's own defaults.
            found["default"] = {} if isinstance(default, Declaration) else default
        return found

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        # pydantic writes patternProperties, which would accept other names.
        values = self.generate_inner(schema["values_schema"])
        keys = {key: value for key, value in self.generate_inner(schema["keys_schema"]).items() if key != "type"}
        found: JsonSchemaValue = {"type": "object", "additionalProperties": values}
        if keys:
            found["propertyNames"] = keys
        self.update_with_validations(found, schema, self.ValidationsMapping.object)
        return found


def generate(file: Path = SCHEMA) -> dict[str, Any]:
    """The schema (draft 2020-12) of one of the two files."""
    schema = _DECLARATIONS[file].model_json_schema(schema_generator=_Generator, mode="validation")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": schema["title"]} | schema


def load_schema() -> dict[str, Any]:
    """The committed schema of a configuration."""
    return json.loads(SCHEMA.read_text(encoding="utf-8"))


def text(file: Path = SCHEMA) -> str:
    """The schema as the text of its file."""
    return json.dumps(generate(file), indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Write both files."""
    for file in _DECLARATIONS:
        file.write_text(text(file), encoding="utf-8")


if __name__ == "__main__":
    main()
