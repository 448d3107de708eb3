"""The providers' schemas, read from the npm packages @cdktf/provider-*: which arguments, blocks and attributes each
resource has, of what type, and which are required. HashiCorp generates the packages from the providers' own schemas; the
parts that matter here are an interface per block (index.d.ts: names, required or not) and the functions that print HCL
(index.js: types). What the packages leave out: which attributes are sensitive, defaults, the providers' own
validation.

    schema.py NODE_MODULES TERRAFORM_FOLDER OUTPUT     schemas of all that the .tf files in the folder use, as JSON
"""
import json
import os
import re
import sys

INTERFACE = re.compile(r"^export interface (\w+)(?: extends [\w.]+)? \{\n(.*?)^\}", re.S | re.M)
PROPERTY = re.compile(r"/\*\*\n(?P<doc>(?:[^\n]*\n)*?)    \*/\n    readonly (?P<name>\w+)(?P<optional>\??): (?P<type>.*?);\n"
                      r"(?=    /\*\*|\Z)", re.S)
LINK = re.compile(r"\{@link https://registry\.terraform\.io/providers/[^#]*#(\w+) ")
ROW = re.compile(r"^            (\w+): \{\n\s+value: .*?\n\s+isBlock: (\w+),\n\s+type: \"(\w+)\",\n"
                 r"\s+storageClassType: \"(\w+)\",\n", re.M)
ROW_NESTED = re.compile(ROW.pattern.replace("            (", "        (", 1), re.M)
COMPUTED = re.compile(r"// (\w+) - computed: true, optional: (\w+), required: \w+\n\s+(?:get \w+\(\) \{\n\s+return (.*?);|"
                      r"this\.\w+ = new ([\w.]+)\(this, \"\w+\"(?:, (\w+))?)")
PRIMITIVES = {"string": "string", "number": "number", "boolean": "bool", "any": "dynamic"}


class Package:
    """One resource's or data source's folder of a provider's package."""

    def __init__(self, folder):
        with open(os.path.join(folder, "index.d.ts")) as f:
            self.interfaces = dict(INTERFACE.findall(f.read()))
        with open(os.path.join(folder, "index.js")) as f:
            self.js = f.read()
        self.classes = {}
        for m in re.finditer(r"^class (\w+) extends cdktf\.\w+ \{\n(.*?)^\}", self.js, re.S | re.M):
            self.classes[m.group(1)] = m.group(2)

    def rows(self, interface, top):
        """name -> (kind, class) of what can be configured."""
        if top:
            body = re.search(r"^    synthesizeHclAttributes\(\) \{\n(.*?)^    \}", self.js, re.S | re.M).group(1)
            return {name: (kind, cls) for name, _, kind, cls in ROW.findall(body)}
        function = interface[0].lower() + interface[1:] + "ToHclTerraform"
        found = re.search(rf"^function {function}\(struct\) \{{\n(.*?)^\}}", self.js, re.S | re.M)
        return {name: (kind, cls) for name, _, kind, cls in ROW_NESTED.findall(found.group(1))} if found else {}

    def computed(self, cls):
        """name -> type of what can be read only, or is filled in when it is not configured."""
        out = {}
        for name, optional, getter, made, is_set in COMPUTED.findall(self.classes.get(cls, "")):
            out[name] = (self.read_type(getter, made, is_set == "true"), optional == "true")
        return out

    def read_type(self, getter, made, is_set):
        if made.endswith("Map") or "MapAttribute" in getter:
            return ["map", "bool" if "Boolean" in made + getter else "number" if "Number" in made + getter else "string"]
        if made:
            element = ["object", {n: t for n, (t, _) in self.computed(made.removesuffix("List") + "OutputReference").items()}]
            return ["set" if is_set else "list", element]
        for word, name in (("StringAttribute", "string"), ("NumberAttribute", "number"), ("BooleanAttribute", "bool")):
            if word in getter:
                return name
        if "ListAttribute" in getter:
            return ["set" if "tolist" in getter else "list", "number" if "NumberList" in getter else "string"]
        return "dynamic"

    def write_type(self, kind, cls):
        if kind == "simple":
            return PRIMITIVES[cls]
        if kind == "map":
            return ["map", PRIMITIVES[cls.removesuffix("Map")]]
        element = cls.removesuffix("List")
        if element in PRIMITIVES:
            return [kind, PRIMITIVES[element]]
        attributes = {n: self.write_type(*row) for n, row in self.rows(element, False).items()}
        attributes.update((n, t) for n, (t, _) in self.computed(element + "OutputReference").items() if n not in attributes)
        return ["object", attributes] if kind == "struct" else [kind, ["object", attributes]]

    def block(self, interface, cls, top=False):
        attributes, blocks = {}, {}
        rows, computed = self.rows(interface, top), self.computed(cls)
        for prop in PROPERTY.finditer(self.interfaces[interface]):
            link = LINK.search(prop["doc"])
            name, required = link.group(1), not prop["optional"]
            kind, row_class = rows[name]
            if re.search(r"^\s*\* \w+ block$", prop["doc"], re.M):
                element = row_class.removesuffix("List") if kind != "struct" else row_class
                single = "[]" not in prop["type"]
                blocks[name] = {"nesting": "single" if kind == "struct" else kind, "max": 1 if single else 0,
                                "min": int(required and kind != "struct"),
                                "block": self.block(element, element + "OutputReference")}
            else:
                written = self.write_type(kind, row_class)
                # Whether the cloud fills in what is left out is not told for plain values: it may.
                may = top and not required and isinstance(written, str)
                attributes[name] = {"type": written, "required": required, "optional": not required,
                                    "computed": name in computed or may}
        for name, (kind, optional) in computed.items():
            if name not in attributes and name not in blocks:
                attributes[name] = {"type": kind, "required": False, "optional": optional, "computed": True}
        return {"attributes": attributes, "blocks": blocks}


def camel(words):
    return "".join(w[:1].upper() + w[1:] for w in words.split("_"))


def load(packages, kind, name):
    """kind is resource, data or provider; name e.g. azurerm_subnet. None when the provider has no such thing."""
    provider, _, rest = name.partition("_")
    folder = {"data": f"data-{name}", "resource": rest, "provider": "provider"}[kind].replace("_", "-")
    path = os.path.join(packages, f"provider-{provider}", "lib", folder)
    if not os.path.isdir(path):
        return None
    package = Package(path)
    configs = [i for i in package.interfaces if i.endswith("Config") and i[:-6] in package.classes]
    config = next((i for i in configs if f"class {i[:-6]} extends cdktf.Terraform" in package.js), None)
    if not config:
        return None
    block = package.block(config, config[:-6], top=True)
    if kind == "provider":
        for attribute in block["attributes"].values():
            attribute["computed"] = False
    return block


def used(folder):
    """What the .tf files speak of: (resource | data, type)."""
    found = set()
    for root, _, files in os.walk(folder):
        for name in files:
            if name.endswith(".tf"):
                with open(os.path.join(root, name)) as f:
                    found.update(re.findall(r'^(resource|data) "([a-z0-9_]+)" "', f.read(), re.M))
    return {(kind, name) for kind, name in found if name != "terraform_data"}


def build(packages, folder):
    providers = {}
    for kind, name in sorted(used(folder)):
        provider = name.partition("_")[0]
        if provider not in providers:
            with open(os.path.join(packages, f"provider-{provider}", "package.json")) as f:
                version = json.load(f)["cdktf"]["provider"]["version"]
            providers[provider] = {"version": version, "provider": load(packages, "provider", provider),
                                   "resource": {}, "data": {}}
        block = load(packages, kind, name)
        if block is None:
            raise SystemExit(f"{kind} {name}: provider {provider} has no such thing")
        providers[provider][kind][name] = block
    return providers


if __name__ == "__main__":
    result = build(os.path.join(sys.argv[1], "@cdktf"), sys.argv[2])
    with open(sys.argv[3], "w") as out:
        json.dump(result, out, indent=1, sort_keys=True)
