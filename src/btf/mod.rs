//! `elfgraft btf` and `elfgraft btf-ids`: BTF and BTF IDs of modules and vmlinux.

mod embed;
mod ids;
mod section;
mod source;

pub use embed::BtfArgs;
pub use ids::BtfIdsArgs;

/// What is known about the files besides themselves.
#[derive(Debug, clap::Args)]
struct Known {
    /// BTF that split BTF continues: a vmlinux, or raw BTF. Not needed where the module has a .BTF.base
    #[arg(long, value_name = "VMLINUX|BTF")]
    btf_base: Option<std::path::PathBuf>,
    /// The base that the IDs now in the file refer to, where it is another one: it proves where symbols belong that
    /// another tool left behind when it sorted the sets
    #[arg(long, value_name = "VMLINUX|BTF")]
    old_btf_base: Option<std::path::PathBuf>,
    /// Take the symbols to be at their entries where nothing proves it: for builds in which elfgraft is the only tool
    /// that sorts the file
    #[arg(long)]
    trust_symbols: bool,
}
