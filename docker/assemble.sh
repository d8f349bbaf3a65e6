#!/bin/sh
# Assembles the root file system of lastro's image: the program, the shared libraries that it and PDFium load, the
# certificates of the system, and a folder for data. There is no shell in it and no package manager.
# usage: docker/assemble.sh PROGRAM LIBPDFIUM OUT
# docker/Dockerfile runs it in a build stage, scripts/test-image without a container engine.
set -eu

program=$1
pdfium=$2
out=$3
# Nobody's number on most systems; Kubernetes asks for a number to see that it is not root.
user=65532
certificates=/etc/ssl/certs/ca-certificates.crt

if [ -e "$out" ]; then
    echo "$out exists: name a folder that does not" >&2
    exit 1
fi
if [ ! -r "$certificates" ]; then
    echo "$certificates is missing: install the package ca-certificates" >&2
    exit 1
fi

install -D -m 0755 "$program" "$out/lastro"
install -D -m 0644 "$pdfium" "$out/usr/lib/libpdfium.so"

# Each library under the name by which the loader looks for it. The loader itself is named by its path alone.
{
    ldd "$program"
    ldd "$pdfium"
} >"$out/libraries"
if grep 'not found' "$out/libraries" >&2; then
    echo "these libraries are missing here" >&2
    exit 1
fi
awk '$2 == "=>" && $3 ~ /^\// { print $3 } $1 ~ /^\// { print $1 }' "$out/libraries" | sort -u | while read -r library; do
    install -D -m 0755 "$library" "$out$library"
done
rm "$out/libraries"

install -D -m 0644 "$certificates" "$out$certificates"
mkdir -p "$out/etc"
echo "root:x:0:0::/:/nologin
lastro:x:$user:$user::/data:/nologin" >"$out/etc/passwd"
echo "root:x:0:
lastro:x:$user:" >"$out/etc/group"
echo "hosts: files dns" >"$out/etc/nsswitch.conf"

# Apart from the rest, since it has another owner: mounted volumes take it over. lastro writes nowhere else.
mkdir -p "$out.data"
chmod 0700 "$out.data"
