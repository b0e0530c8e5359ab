#!/bin/bash
# The long form of what `make test` does in small: the same tests with ELFGRAFT_TORTURE set, optimized, those that are
# ignored otherwise included, and two release builds in two directories. Nothing is measured; it passes or it fails.
set -e
cd "$(dirname "$0")/.."
export ELFGRAFT_TORTURE=1
${CARGO:-cargo} test --test faults -- --nocapture
${CARGO:-cargo} test --release -p elfgraft-fuzzlaws --tests
# The modules of a kernel need ELFGRAFT_CORPUS, a directory of them.
${CARGO:-cargo} test --release -p elfgraft-hashes -- --ignored --skip modules_of_a_kernel_package
scripts/reproducible.sh
