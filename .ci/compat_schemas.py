"""Validates the artifacts of a target folder against dbt's own schemas, and has dbt read them.

Usage: compat_schemas.py TARGET_DIR. Exits 1 when one is not valid, or when nothing was there to check.
"""

import json
import pathlib
import sys

import jsonschema
from dbt.artifacts.schemas.catalog import CatalogArtifact
from dbt.artifacts.schemas.freshness import FreshnessExecutionResultArtifact
from dbt.artifacts.schemas.manifest import WritableManifest
from dbt.artifacts.schemas.run import RunResultsArtifact

ARTIFACTS = {
    "manifest.json": WritableManifest,
    "run_results.json": RunResultsArtifact,
    "catalog.json": CatalogArtifact,
    "sources.json": FreshnessExecutionResultArtifact,
}


def faults(path, artifact):
    document = json.loads(path.read_text())
    validator = jsonschema.Draft202012Validator(artifact.json_schema())
    for error in validator.iter_errors(document):
        # of a node that fits none of the kinds, say what is wrong with the kind it comes closest to
        deepest = jsonschema.exceptions.best_match([error])
        place = "/".join(str(part) for part in error.absolute_path)
        yield f"{place}: {deepest.message[:300]}"
    try:
        artifact.read_and_check_versions(str(path))
    except Exception as error:  # whatever dbt's readers raise is what other tools would meet
        yield f"dbt cannot read it: {str(error)[:300]}"


def main(folder):
    checked, bad = 0, 0
    for name, artifact in ARTIFACTS.items():
        path = folder / name
        if not path.exists():
            continue
        checked += 1
        found = list(faults(path, artifact))
        bad += bool(found)
        print(f"{'NOT VALID' if found else 'valid'}  {path}")
        for fault in found[:20]:
            print(f"    {fault}")
    return 1 if bad or not checked else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
