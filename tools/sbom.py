#!/usr/bin/python3
"""sbom.py PROGRAM OUTPUT VERSION [STATIC_LIBRARY]...: the libraries that are linked to a program, as an SPDX 2.3 document.

Shared ones are what the program names as needed, static ones are given. Name, version and licence are those of the Debian package
that a library's file is of; where that is not known the document says so. Static libraries without a folder are the compiler's to
find.
"""
import json
import os
import re
import subprocess
import sys
import time

# The short names of Debian's copyright format that SPDX calls otherwise.
SPDX = {"Expat": "MIT", "GPL-2+": "GPL-2.0-or-later", "GPL-3+": "GPL-3.0-or-later", "LGPL-2+": "LGPL-2.0-or-later",
        "LGPL-2.1+": "LGPL-2.1-or-later"}
KNOWN = re.compile(r"^(Apache-2\.0|MIT|ISC|0BSD|Zlib|curl|BSD-[23]-clause|(L?GPL)-\d\.\d-(or-later|only))$", re.I)


def told(*argv):
    done = subprocess.run(argv, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C.UTF-8"})
    return done.stdout if done.returncode == 0 else ""


def shared_libraries(program):
    """The files of what it names itself, not of what those need in turn."""
    needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", told("readelf", "-d", program)))
    files = dict(re.findall(r"^\s*(?:\S+ => )?(\S*/(\S+)) \(0x", told("ldd", program), re.M))
    return sorted(path for path, name in files.items() if name in needed)


def found(library):
    return library if "/" in library else told("cc", "-print-file-name=" + library).strip() or library


def package_of(path):
    """(package, version) of Debian, or None; its database may have the file by another name of its folder."""
    real = os.path.realpath(path)
    for name in (path, real, real.removeprefix("/usr"), "/usr" + real):
        owner = told("dpkg-query", "-S", name).split(":")[0]
        if owner:
            return owner, told("dpkg-query", "-W", "-f=${Version}\n", owner).split("\n")[0]
    return None


def licence_of(package):
    """Of most of its files, by the machine-readable copyright file."""
    try:
        with open(f"/usr/share/doc/{package}/copyright", errors="replace") as f:
            text = f.read()
    except OSError:
        return None
    stanza = next((s for s in re.split(r"\n[ \t]*\n", text) if re.search(r"^Files:\s*\*\s*$", s, re.M)), "")
    line = re.search(r"^License:[ \t]*(\S.*)$", stanza, re.M)
    return line.group(1).strip() if line else None


def describe(number, path, linkage):
    name, version, licence = os.path.basename(path), None, None
    owner = package_of(path)
    if owner:
        name, version, licence = owner[0], owner[1], licence_of(owner[0])
    spdx = SPDX.get(licence, licence if licence and KNOWN.match(licence) else None)
    package = {"SPDXID": f"SPDXRef-{number}", "name": name, "versionInfo": version or "NOASSERTION", "downloadLocation": "NOASSERTION",
               "filesAnalyzed": False, "licenseConcluded": "NOASSERTION", "licenseDeclared": spdx or "NOASSERTION",
               "copyrightText": "NOASSERTION", "packageFileName": os.path.basename(path)}
    if licence and not spdx:
        package["licenseComments"] = "in Debian's copyright file: " + licence
    if owner:
        package["externalRefs"] = [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
                                    "referenceLocator": f"pkg:deb/debian/{name}@{version}"}]
    relation = {"spdxElementId": "SPDXRef-program", "relationshipType": linkage, "relatedSpdxElement": package["SPDXID"]}
    return package, relation


def main():
    program, output, version, *static = sys.argv[1:]
    name = os.path.basename(program)
    rows = [(path, "DYNAMIC_LINK") for path in shared_libraries(program)] + [(found(name), "STATIC_LINK") for name in static]
    libraries = [describe(i, *row) for i, row in enumerate(rows, 1)]
    created = time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH") or os.path.getmtime(program)))
    document = {
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": f"{name}-{version}",
        "documentNamespace": f"https://spdx.org/spdxdocs/{name}-{version}",
        "creationInfo": {"created": time.strftime("%Y-%m-%dT%H:%M:%SZ", created), "creators": ["Tool: sbom.py"]},
        "packages": [{"SPDXID": "SPDXRef-program", "name": name, "versionInfo": version, "downloadLocation": "NOASSERTION",
                      "filesAnalyzed": False, "licenseConcluded": "Apache-2.0", "licenseDeclared": "Apache-2.0",
                      "copyrightText": "NOASSERTION", "primaryPackagePurpose": "APPLICATION"}] + [p for p, _ in libraries],
        "relationships": [{"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES",
                           "relatedSpdxElement": "SPDXRef-program"}] + [r for _, r in libraries],
    }
    with open(output, "w") as f:
        json.dump(document, f, indent=1)
        f.write("\n")


if __name__ == "__main__":
    main()
