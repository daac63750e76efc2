#!/usr/bin/env python3
"""Random JSON Schemas, texts written by their masks, and what the package jsonschema says of these.

    schema_texts.py PROGRAM [SCHEMAS]      PROGRAM: build/release/tests/model/schema_texts

Ends with 77 (skipped) where jsonschema is not installed: python3 -m pip install jsonschema
"""
import json
import random
import subprocess
import sys

try:
    import jsonschema
except ImportError:
    print("skipped: python3 -m pip install jsonschema")
    sys.exit(77)

WORDS = ["a", "b", "ab", "name", "x y", "caf\u00e9", "a/b", "q\"q", "0"]
PATTERNS = ["^[a-f0-9]{4}$", "^(red|green|blue)$", "b", "^\\d+\\.\\d{2}$",
            "^[^\"\\\\]{0,5}$", "\\s", "^\\w+@\\w+$", "^.{1,3}$|^z", "[\\x00-\\x1f]"]


def integer_bounds(r):
    low = r.randint(-1500, 1500)
    bounds = {}
    if r.random() < 0.7:
        bounds[r.choice(["minimum", "exclusiveMinimum"])] = r.choice([low, low + 0.5])
    if r.random() < 0.7:
        bounds[r.choice(["maximum", "exclusiveMaximum"])] = low + r.choice([3, 50, 4000])
    return bounds


def string_schema(r):
    kind = r.randrange(5)
    if kind == 0:
        return {"type": "string", "pattern": r.choice(PATTERNS)}
    if kind == 1:
        return {"type": "string", "format": r.choice(["date", "time", "date-time", "uuid"])}
    low = r.randint(0, 4)
    return {"type": "string"} if kind == 2 else {"type": "string", "minLength": low, "maxLength": low + r.randint(0, 6)}


def array_schema(r, depth):
    made = {"type": "array"}
    if r.random() < 0.4:
        made["prefixItems"] = [schema(r, depth - 1) for _ in range(r.randint(1, 3))]
    if r.random() < 0.7:
        made["items"] = schema(r, depth - 1)
    if r.random() < 0.5:
        made["minItems"] = r.randint(0, 3)
        made["maxItems"] = made["minItems"] + r.randint(0, 3)
    return made


def object_schema(r, depth):
    names = r.sample(WORDS, r.randint(0, 4))
    made = {"type": "object", "properties": {name: schema(r, depth - 1) for name in names}}
    made["required"] = [name for name in names if r.random() < 0.5]
    if r.random() < 0.5:
        made["additionalProperties"] = r.choice([False, True, schema(r, depth - 1)])
    return made


def schema(r, depth):
    kind = r.randrange(11 if depth > 0 else 7)
    if kind == 0:
        return {"type": r.choice(["null", "boolean", "number", ["integer", "null"]])}
    if kind in (1, 2):
        return {"type": "integer", **integer_bounds(r)}
    if kind == 3:
        return {"enum": r.sample(["a", 1, -2.5, None, True, [1, "b"], {"k": "\u00e9"}], 3)}
    if kind == 4:
        return {"const": r.choice(["x\"y", 0, {"a": [None]}])}
    if kind in (5, 6):
        return string_schema(r)
    if kind == 7:
        return {"anyOf": [schema(r, depth - 1) for _ in range(r.randint(1, 3))]}
    if kind == 8:
        return {"oneOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]}
    return array_schema(r, depth) if kind == 9 else object_schema(r, depth)


def recursive(r):
    subs = {"type": "array", "items": {"$ref": "#/$defs/tree"}, "maxItems": 2}
    tree = {"type": "object", "properties": {"value": schema(r, 1), "sub": subs}}
    return {"$defs": {"tree": tree}, "$ref": "#/$defs/tree"}


def main():
    program, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 300
    r = random.Random(20240717)
    schemas = [recursive(r) if i % 10 == 9 else schema(r, 3) for i in range(count)]
    told = subprocess.run([program, "1", "5"], input="\n".join(map(json.dumps, schemas)) + "\n", capture_output=True, text=True, check=True)
    texts, wrong, refused, with_texts = 0, 0, [], set()
    for line in told.stdout.splitlines():
        answer = json.loads(line)
        asked = schemas[answer["schema"]]
        if "error" in answer:
            refused.append((asked, answer["error"]))
            continue
        texts += 1
        with_texts.add(answer["schema"])
        try:
            jsonschema.validate(json.loads(answer["text"]), asked, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
        except (ValueError, jsonschema.ValidationError) as error:
            wrong += 1
            print(f"wrong: {json.dumps(asked)}\n  {answer['text']!r}\n  {str(error).splitlines()[0]}")
    for asked, error in refused:
        print(f"refused: {json.dumps(asked)[:200]}: {error}")
    print(f"{count} schemas, {len(refused)} refused, {len(with_texts)} with texts; {texts} texts, {wrong} wrong")
    return 0 if wrong == 0 and len(refused) * 10 <= count and len(with_texts) * 10 >= count * 8 else 1


if __name__ == "__main__":
    sys.exit(main())
