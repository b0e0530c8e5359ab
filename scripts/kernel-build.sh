#!/bin/bash
# Builds a small x86-64 kernel with modules and BTF twice, once with GNU's objcopy and strip and once with elfgraft's,
# compares all that the two builds wrote, and boots both kernels. Opt-in: two kernel builds.
#
#   make kernel-build WORKDIR=dir [SOURCE=tree or tar.xz]
#
# Debian: apt-get install linux-source-6.12 gcc flex bison bc libelf-dev libssl-dev pahole cpio kmod
# To boot, qemu-system-x86; ccache, if there is one, compiles once for both. JOBS (2), ELFGRAFT (target/release/elfgraft).
# Done steps are kept: remove WORKDIR/gnu or WORKDIR/elfgraft to repeat one.
set -euo pipefail

[ $# -ge 1 ] && [ -n "$1" ] || { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }
root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$1"
work=$(cd "$1" && pwd)
source=$(readlink -f "${2:-/usr/src/linux-source-6.12.tar.xz}")
jobs=${JOBS:-2}
elfgraft=$(readlink -f "${ELFGRAFT:-$root/target/release/elfgraft}")
tree=$source
if [ ! -d "$tree" ]; then
    tree=$work/linux
    [ -d "$tree" ] || { mkdir -p "$tree.new" && tar -C "$tree.new" --strip-components=1 -xf "$source" && mv "$tree.new" "$tree"; }
fi
cc=gcc && command -v ccache > /dev/null && cc="ccache gcc"

# Tools that log their calls and then run the real ones. Their names are the same in both builds, because the names get
# into files of the build. `objcopy --version` must stay what it is: Kconfig asks.
tools() { # OBJCOPY STRIP
    rm -rf "$work/tools" && mkdir "$work/tools"
    for tool in objcopy strip; do
        real=$1 && [ $tool = strip ] && real=$2
        cat > "$work/tools/$tool" <<END
#!/bin/bash
{ printf '$tool|%s|' "\$PWD"; printf ' %q' "\$@"; printf '\\n'; } >> "$work/calls.log"
exec "$real" "\$@"
END
        chmod +x "$work/tools/$tool"
    done
}

# Both builds run in the same directory, "build", since its name gets into debugging information; it is renamed when done.
build() { # NAME OBJCOPY STRIP
    [ ! -d "$work/$1" ] || { echo "$work/$1: built before"; return; }
    tools "$2" "$3"
    # What was interrupted goes on.
    [ -e "$work/build/made-with-$1" ] || { rm -rf "$work/build" && mkdir "$work/build" && : > "$work/calls.log"; }
    touch "$work/build/made-with-$1"
    run=(make -C "$tree" O="$work/build" -j"$jobs" CC="$cc" OBJCOPY="$work/tools/objcopy" STRIP="$work/tools/strip"
        KBUILD_BUILD_TIMESTAMP=2026-01-01 KBUILD_BUILD_USER=user KBUILD_BUILD_HOST=host KBUILD_BUILD_VERSION=1)
    echo "$1: building, log in $work/$1.log"
    {
        KCONFIG_ALLCONFIG=$root/scripts/kernel-build.config "${run[@]}" allnoconfig
        time "${run[@]}"
        cp -r "$root/scripts/kernel-module" "$work/build/outside"
        "${run[@]}" M="$work/build/outside"
        "${run[@]}" INSTALL_MOD_PATH="$work/build/installed" INSTALL_MOD_STRIP=1 DEPMOD=true modules_install
        "${run[@]}" INSTALL_MOD_PATH="$work/build/installed" INSTALL_MOD_STRIP=1 DEPMOD=true M="$work/build/outside" modules_install
    } > "$work/$1.log" 2>&1 || { tail -n 20 "$work/$1.log" >&2; exit 1; }
    grep -v '^#' "$root/scripts/kernel-build.config" | while read -r wanted; do
        grep -qx "$wanted" "$work/build/.config" || { echo "$wanted: the kernel was configured without" >&2; exit 1; }
    done
    mv "$work/calls.log" "$work/build/calls.log"
    mv "$work/build" "$work/$1"
}

build gnu "$(command -v objcopy)" "$(command -v strip)"
ln -sf "$elfgraft" "$work/elfgraft-objcopy"
ln -sf "$elfgraft" "$work/elfgraft-strip"
build elfgraft "$work/elfgraft-objcopy" "$work/elfgraft-strip"

# What each build called, without the names of temporary files.
calls() { cut -d'|' -f1,3 "$work/$1/calls.log" | sed -E 's/tmp\.[A-Za-z0-9]{10}/TMP/g' | sort -u; }
calls gnu > "$work/calls-gnu" && calls elfgraft > "$work/calls-elfgraft"
[ -s "$work/calls-gnu" ] && diff "$work/calls-gnu" "$work/calls-elfgraft" ||
    { echo "the builds made different calls: compare $work/calls-*" >&2; exit 1; }
cmp "$work/gnu/.config" "$work/elfgraft/.config"
echo "$(wc -l < "$work/calls-gnu") calls of objcopy and strip in each build"

cd "$root"
KERNEL_GNU=$work/gnu KERNEL_ELFGRAFT=$work/elfgraft cargo test --test kernel_build -- --ignored --nocapture
for name in gnu elfgraft; do scripts/kernel-boot.sh "$work/$name" "$work/boot-$name"; done
