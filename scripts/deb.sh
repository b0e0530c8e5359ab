#!/bin/sh
# deb.sh BINARY GENERATOR: target/debian/elfgraft_VERSION_ARCH.deb, with dpkg-deb and nothing else.
# The version is cargo's; the time in it is that of the last commit, so that the same source gives the same package.
set -eu
binary=$1 generator=$2
command -v dpkg-deb >/dev/null || { echo "deb.sh: dpkg-deb is not installed" >&2; exit 1; }
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)-1
# Who builds it answers for it: as Debian's tools ask, as git knows; else an address that says that it is none.
name=${DEBFULLNAME:-$(git config user.name 2>/dev/null || echo elfgraft developers)}
mail=${DEBEMAIL:-$(git config user.email 2>/dev/null || echo nobody@elfgraft.invalid)}
maintainer=${DEB_MAINTAINER:-$name <$mail>}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md)}
export SOURCE_DATE_EPOCH
arch=$(dpkg --print-architecture)
out=target/debian
root=$out/root
rm -rf "$root"
mkdir -p "$root/DEBIAN"
umask 022

scripts/install.sh install "$binary" "$root/usr" "$generator"
strip=$(command -v strip || echo true)
"$strip" -s -R .comment -R .note "$root/usr/bin/elfgraft"
mkdir -p "$root/usr/share/zsh/vendor-completions"
mv "$root"/usr/share/zsh/site-functions/* "$root/usr/share/zsh/vendor-completions"
rmdir "$root/usr/share/zsh/site-functions"
doc=$root/usr/share/doc/elfgraft
mv "$doc/CHANGELOG.md" "$doc/changelog"
rm "$doc/LICENSE-MIT" "$doc/LICENSE-APACHE"
cp packaging/copyright "$doc/copyright"
cat >"$doc/changelog.Debian" <<CHANGELOG
elfgraft ($version) unstable; urgency=medium

  * Built with make deb; what changed is in changelog.gz.

 -- $maintainer  $(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")
CHANGELOG
gzip -9n "$doc/changelog" "$doc/changelog.Debian" "$root"/usr/share/man/man1/*.1
# It is not uploaded to Debian, so it closes no bug there; and a static position-independent executable looks to lintian
# like a library that forgot what it needs.
install -d "$root/usr/share/lintian/overrides"
{
    echo "elfgraft: initial-upload-closes-no-bugs *"
    ldd "$binary" 2>/dev/null | grep -q libc.so || echo "elfgraft: shared-library-lacks-prerequisites [usr/bin/elfgraft]"
} >"$root/usr/share/lintian/overrides/elfgraft"
find "$root" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +

# Linked statically it needs nothing.
depends=
if ldd "$binary" >/dev/null 2>&1 && ldd "$binary" | grep -q libc.so; then
    depends="Depends: libc6 (>= 2.34)
"
fi
cat >"$root/DEBIAN/control" <<CONTROL
Package: elfgraft
Version: $version
Architecture: $arch
Maintainer: $maintainer
Installed-Size: $(du -ks --apparent-size "$root/usr" | cut -f1)
Section: devel
Priority: optional
${depends}Homepage: https://github.com/elfgraft/elfgraft
Description: ELF section patching that is idempotent and touches nothing else
$(sed 's/^/ /' packaging/description)
CONTROL
(cd "$root" && find usr -type f -print0 | sort -z | xargs -0 md5sum >DEBIAN/md5sums)
dpkg-deb --root-owner-group -Zxz --build "$root" "$out/elfgraft_${version}_$arch.deb"
