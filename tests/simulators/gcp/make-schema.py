#!/usr/bin/python3
"""Writes schema.txt from Google's discovery documents: the fields of every request body that the simulator takes.

usage: make-schema.py FOLDER > schema.txt

One line a message: "API.Name field:type ...". Types: string, int, int64, number, bool, duration, time, bytes, any,
enum=A|B (the position is the number, unless /N says it), @Name (a message), [type] (a list), {type} (a map).
"""
import json
import os
import re
import sys

ROOTS = {
    "run.v2": ["GoogleCloudRunV2Service", "GoogleIamV1SetIamPolicyRequest", "GoogleIamV1TestIamPermissionsRequest",
               "GoogleLongrunningWaitOperationRequest"],
    "cloudfunctions.v2": ["Function", "GenerateUploadUrlRequest", "GenerateDownloadUrlRequest", "DetachFunctionRequest",
                          "SetIamPolicyRequest", "TestIamPermissionsRequest"],
    "logging.v2": ["ListLogEntriesRequest", "WriteLogEntriesRequest"],
    "iamcredentials.v1": ["GenerateAccessTokenRequest", "GenerateIdTokenRequest"],
    "artifactregistry.v1": ["Repository"],
    "storage.v1": ["Bucket", "Object"],
}
FORMATS = {"int64": "int64", "uint64": "int64", "google-duration": "duration", "google-datetime": "time", "byte": "bytes"}
# Discovery documents have no numbers of enumerations; these are not in order.
NUMBERS = {"EARLY_ACCESS": 1, "ALPHA": 2, "BETA": 3, "GA": 4, "DEPRECATED": 5, "UNIMPLEMENTED": 6, "PRELAUNCH": 7, "DEFAULT": 0,
           "DEBUG": 100, "INFO": 200, "NOTICE": 300, "WARNING": 400, "ERROR": 500, "CRITICAL": 600, "ALERT": 700, "EMERGENCY": 800}
PREFIX = re.compile("^Google(CloudRunV2|IamV1|DevtoolsCloudbuildV1|Longrunning|Rpc|Type|Cloud|Api)?(?=[A-Z])")


def short(name):
    return PREFIX.sub("", name)


def type_of(field, refs):
    if "$ref" in field:
        refs.append(field["$ref"])
        return "@" + short(field["$ref"])
    if field.get("type") == "array":
        return "[" + type_of(field["items"], refs) + "]"
    if field.get("type") == "object":
        values = field.get("additionalProperties")
        return "{" + type_of(values, refs) + "}" if values and values.get("type") != "any" else "any"
    if "enum" in field:
        numbered = {"LAUNCH_STAGE_UNSPECIFIED", "DEFAULT"} & set(field["enum"])
        return "enum=" + "|".join(f"{n}/{NUMBERS[n]}" if numbered and n in NUMBERS else n for n in field["enum"])
    if field.get("format") in FORMATS:
        return FORMATS[field["format"]]
    return {"integer": "int", "boolean": "bool"}.get(field["type"], field["type"])


for api, roots in ROOTS.items():
    with open(os.path.join(sys.argv[1], api + ".json")) as f:
        schemas = json.load(f)["schemas"]
    todo, done = [r for r in roots if r in schemas], set()
    while todo:
        name = todo.pop(0)
        if name in done:
            continue
        done.add(name)
        fields = schemas[name].get("properties", {})
        text = [f"{key}:{type_of(value, todo)}" for key, value in sorted(fields.items())]
        print(" ".join([f"{api.split('.')[0]}.{short(name)}", *text]))
