#!/bin/bash
# Builds a small x86-64 kernel with modules and BTF twice, once with GNU's objcopy and strip and once with elfgraft's,
# and compares what comes out. Opt-in: it needs a kernel source, its build dependencies and half an hour.
#
#   scripts/kernel-build.sh WORKDIR [SOURCE.tar.xz]
#
# Debian: apt-get install linux-source-6.12 flex bison bc libelf-dev libssl-dev pahole cpio kmod rsync
# JOBS (2), ELFGRAFT (target/release/elfgraft). Every call of objcopy and strip is logged in WORKDIR/calls-*.log.
set -euo pipefail

[ $# -ge 1 ] || { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }
root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$1"
work=$(cd "$1" && pwd)
source=${2:-/usr/src/linux-source-6.12.tar.xz}
jobs=${JOBS:-2}
elfgraft=$(readlink -f "${ELFGRAFT:-$root/target/release/elfgraft}")
tree=$work/linux

# A directory of tools that log their calls and then run the real ones.
tools() { # NAME OBJCOPY STRIP
    mkdir -p "$work/tools-$1"
    for tool in objcopy strip; do
        real=$2 && [ $tool = strip ] && real=$3
        cat > "$work/tools-$1/$tool" <<EOF
#!/bin/bash
{ printf '$tool|%s|' "\$PWD"; printf ' %q' "\$@"; printf '\\n'; } >> "$work/calls-$1.log"
exec "$real" "\$@"
EOF
        chmod +x "$work/tools-$1/$tool"
    done
}

build() { # NAME
    : > "$work/calls-$1.log"
    run=(make -C "$tree" -j"$jobs" KBUILD_BUILD_TIMESTAMP=2026-01-01 KBUILD_BUILD_USER=user KBUILD_BUILD_HOST=host KBUILD_BUILD_VERSION=1
        OBJCOPY="$work/tools-$1/objcopy" STRIP="$work/tools-$1/strip")
    "${run[@]}" > "$work/build-$1.log" 2>&1
    "${run[@]}" INSTALL_MOD_PATH="$work/out-$1/root" INSTALL_MOD_STRIP=1 DEPMOD=true modules_install > "$work/install-$1.log" 2>&1
    (cd "$tree" && rsync -amR --include='*/' --include='*.ko' --include='vmlinux' --include='vmlinux.bin' \
        --include='setup.bin' --include='realmode.bin' --include='bzImage' --include='vdso*.so' --include='*-x32.o' \
        --include='.btf.vmlinux.bin.o' --include='modules.builtin.modinfo' --exclude='*' ./ "$work/out-$1/")
}

if [ ! -d "$tree" ]; then
    mkdir "$tree.new" && tar -C "$tree.new" --strip-components=1 -xf "$source" && mv "$tree.new" "$tree"
fi
make -s -C "$tree" tinyconfig > /dev/null 2>&1
cat > "$work/fragment" <<'EOF'
CONFIG_64BIT=y
CONFIG_MODULES=y
CONFIG_MODULE_UNLOAD=y
CONFIG_PRINTK=y
CONFIG_TTY=y
CONFIG_SERIAL_8250=y
CONFIG_SERIAL_8250_CONSOLE=y
CONFIG_BLK_DEV_INITRD=y
CONFIG_BINFMT_ELF=y
CONFIG_BPF_SYSCALL=y
CONFIG_KALLSYMS=y
CONFIG_DEBUG_KERNEL=y
CONFIG_DEBUG_INFO_DWARF5=y
CONFIG_DEBUG_INFO_BTF=y
CONFIG_DEBUG_INFO_BTF_MODULES=y
CONFIG_RELOCATABLE=y
CONFIG_RANDOMIZE_BASE=y
CONFIG_UNWINDER_ORC=y
CONFIG_IA32_EMULATION=y
CONFIG_X86_X32_ABI=y
CONFIG_CRYPTO=y
CONFIG_CRYPTO_SHA256=m
CONFIG_CRYPTO_MD5=m
CONFIG_LIBCRC32C=m
CONFIG_X86_MSR=m
CONFIG_X86_CPUID=m
CONFIG_PROC_FS=y
CONFIG_SYSFS=y
CONFIG_DEVTMPFS=y
CONFIG_KERNEL_GZIP=y
EOF
(cd "$tree" && ./scripts/kconfig/merge_config.sh -m .config "$work/fragment" > /dev/null)
make -s -C "$tree" olddefconfig

tools gnu "$(command -v objcopy)" "$(command -v strip)"
ln -sf "$elfgraft" "$work/elfgraft-objcopy"
ln -sf "$elfgraft" "$work/elfgraft-strip"
tools elfgraft "$work/elfgraft-objcopy" "$work/elfgraft-strip"

build gnu
make -s -C "$tree" clean
build elfgraft
calls() { cut -d'|' -f1,3 "$work/calls-$1.log" | sort; }
[ -s "$work/calls-elfgraft.log" ] && [ "$(calls gnu | wc -l)" = "$(calls elfgraft | wc -l)" ] ||
    { echo "the builds made different calls: compare $work/calls-*.log" >&2; exit 1; }

cd "$root"
KERNEL_GNU=$work/out-gnu KERNEL_ELFGRAFT=$work/out-elfgraft \
    cargo test --release --test kernel_build -- --ignored --nocapture
