#!/bin/sh
# install.sh install BINARY PREFIX GENERATOR | uninstall BINARY PREFIX
# Directories stay, but for that of the documents.
# GENERATOR is an elfgraft that runs here: it writes manual pages and completions.
set -eu
action=$1 binary=$2 prefix=$3
tools="objcopy strip resolve_btfids"
man=$prefix/share/man/man1
bash=$prefix/share/bash-completion/completions
zsh=$prefix/share/zsh/site-functions
fish=$prefix/share/fish/vendor_completions.d
doc=$prefix/share/doc/elfgraft

names() {
    echo elfgraft
    for tool in $tools; do echo "elfgraft-$tool"; done
}

if [ "$action" = uninstall ]; then
    for name in $(names); do
        rm -f "$prefix/bin/$name" "$bash/$name" "$zsh/_$name" "$fish/$name.fish"
    done
    rm -f "$man/elfgraft.1" "$man"/elfgraft-*.1
    rm -rf "$doc"
    exit
fi

generator=$4
install -D -m 755 "$binary" "$prefix/bin/elfgraft"
for tool in $tools; do ln -sf elfgraft "$prefix/bin/elfgraft-$tool"; done
# The pages of objcopy, strip and resolve_btfids have the names of the links.
install -d "$man" "$bash" "$zsh" "$fish" "$doc/docs" "$doc/examples" "$doc/testdata"
umask 022
"$generator" man "$man"
for name in $(names); do
    "$generator" completions bash "$name" >"$bash/$name"
    "$generator" completions zsh "$name" >"$zsh/_$name"
    "$generator" completions fish "$name" >"$fish/$name.fish"
done
# As in the repository, so that links between them hold.
install -m 644 README.md CHANGELOG.md SECURITY.md LICENSE-MIT LICENSE-APACHE "$doc"
install -m 644 docs/*.md docs/*.svg "$doc/docs"
install -m 644 examples/*.rs "$doc/examples"
install -m 644 testdata/README.md "$doc/testdata"
