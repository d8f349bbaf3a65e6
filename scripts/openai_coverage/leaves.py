"""An OpenAPI schema as a table: each leaf with its types and, where they are listed, its values."""


class Description:
    """An OpenAPI document, and what is behind its references."""

    def __init__(self, document, prefix=""):
        self.document, self.prefix = document, prefix

    def resolve(self, node):
        while isinstance(node, dict) and "$ref" in node:
            found = self.document
            for part in node["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            node = found
        return node

    def operations(self):
        """{(method, path without names of parameters): operation}; an operation knows its `path`."""
        return {(method, shape(self.prefix + path)): {**operation, "path": self.prefix + path}
                for path, item in self.document["paths"].items() for method, operation in item.items()
                if method in ("get", "post", "put", "patch", "delete")}

    def parameters(self, operation, where):
        found = [self.resolve(parameter) for parameter in operation.get("parameters") or []]
        return [parameter for parameter in found if parameter["in"] == where]

    def query(self, operation):
        leaves = {}
        for parameter in self.parameters(operation, "query"):
            leaves |= self.leaves(parameter["schema"], parameter["name"], bool(parameter.get("required")))
        return leaves

    def request(self, operation):
        return self.content(operation.get("requestBody") or {})

    def response(self, operation):
        return self.content(operation["responses"].get("200") or {})

    def content(self, holder):
        content = self.resolve(holder).get("content") or {}
        kinds = [kind for kind in ("application/json", "multipart/form-data") if kind in content]
        return self.leaves(content[kinds[0]]["schema"], "", True) if kinds else {}

    def leaves(self, schema, path, required, behind=()):
        """{path: Leaf}. An object in a list is at `list[]`, a value of a map at `map.*`."""
        if "$ref" in schema:
            if schema["$ref"] in behind:
                return {path: Leaf({"recursive"}, set(), required)}
            return self.leaves(self.resolve(schema), path, required, (*behind, schema["$ref"]))
        if "$recursiveRef" in schema:
            return {path: Leaf({"recursive"}, set(), required)}
        found = {}
        for kind in ("oneOf", "anyOf", "allOf"):
            for part in schema.get(kind) or []:
                if set(part) <= {"nullable", "required"}:
                    continue
                for name, leaf in self.leaves(part, path, required, behind).items():
                    found[name] = found[name].joined(leaf) if name in found else leaf
        for name, part in (schema.get("properties") or {}).items():
            inner = f"{path}.{name}" if path else name
            found |= self.leaves(part, inner, name in (schema.get("required") or []), behind)
        if isinstance(schema.get("additionalProperties"), dict):
            found |= self.leaves(schema["additionalProperties"], f"{path}.*", False, behind)
        if "items" in schema:
            found |= self.leaves(schema["items"], f"{path}[]", False, behind)
        types = schema.get("type") or []
        types = set([types] if isinstance(types, str) else types)
        if schema.get("nullable"):
            types.add("null")
        plain = types - {"object", "array"} if found else types
        if plain or not found:
            values = set(schema.get("enum") or []) | ({schema["const"]} if "const" in schema else set())
            leaf = Leaf(plain or {"any"}, {str(value) for value in values if value is not None}, required)
            found[path] = found[path].joined(leaf) if path in found else leaf
        return found


class Leaf:
    """A field that has no fields. `values` are empty where any will do."""

    def __init__(self, types, values, required):
        self.types, self.values, self.required = types, values, required

    def joined(self, other):
        open_ended = "string" in self.types and not self.values or "string" in other.types and not other.values
        values = set() if open_ended else self.values | other.values
        return Leaf(self.types | other.types, values, self.required and other.required)


def shape(path):
    """A path with {} for each parameter: they are named differently here and there."""
    return "/".join("{}" if part.startswith("{") else part for part in path.split("/"))


def takes(ours, theirs):
    """Whether types of ours hold all of theirs."""
    if "any" in ours:
        return True
    return all(kind in ours or kind == "integer" and "number" in ours for kind in theirs - {"any"})
