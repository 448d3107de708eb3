#!/bin/sh
# tf-test.sh BUILD_DIR: what the Terraform tests need, into BUILD_DIR/terraform, each from its registry; then runs them. What
# cannot be had is named, and the tests that need it skip.
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
build=$1
folder=$build/terraform
mkdir -p "$folder" && folder=$(cd "$folder" && pwd) || exit 1

# The providers' schemas: npm's packages in the versions of the lock file.
if ! cmp -s "$top/tests/terraform/package-lock.json" "$folder/installed.json"; then
    cp "$top/tests/terraform/package.json" "$top/tests/terraform/package-lock.json" "$folder/"
    if (cd "$folder" && npm ci --ignore-scripts --legacy-peer-deps --no-audit --no-fund >npm.log 2>&1); then
        cp "$folder/package-lock.json" "$folder/installed.json"
    else
        echo "no schemas of the providers: npm ci failed, see $folder/npm.log"
    fi
fi
# What stands in for the providers, whose executables no package registry has; and the oldest Terraform promised.
if command -v go >/dev/null; then
    (cd "$top/tests/terraform/provider" && go build -o "$folder/stand-in" .) || echo "no stand-in for the providers: go build failed"
    [ -x "$folder/terraform-1.5.7/terraform" ] ||
        GOBIN="$folder/terraform-1.5.7" go install github.com/hashicorp/terraform@v1.5.7 >"$folder/go.log" 2>&1 ||
        echo "no Terraform 1.5.7: go install failed, see $folder/go.log"
else
    echo "no stand-in for the providers and no Terraform 1.5.7: go is not installed"
fi
# cloud-init's own check of its documents: unpacked, not installed, since it would act at the next boot.
if [ ! -e "$folder/cloud-init/ready" ]; then
    mkdir -p "$folder/cloud-init"
    if (cd "$folder/cloud-init" && apt-get download -q cloud-init && dpkg -x cloud-init_*.deb . &&
        python3 -m pip install -q --target py -r "$top/tests/terraform/cloud-init.txt") >"$folder/cloud-init.log" 2>&1; then
        touch "$folder/cloud-init/ready"
    else
        echo "no cloud-init: see $folder/cloud-init.log"
    fi
fi
exec "$top/tools/test.sh" "$build" --suite terraform
