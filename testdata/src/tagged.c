/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Built by clang, which knows attributes that end as DECL_TAG and TYPE_TAG:
 * kfuncs with tags, some of them with implicit arguments.
 */
#include "ids.h"

#define tag(name) __attribute__((btf_decl_tag(name)))
#define type_tag(name) __attribute__((btf_type_tag(name)))
#define kfunc tag("bpf_kfunc") __attribute__((noinline))

struct bpf_prog_aux {
	unsigned int id;
};

struct btf_struct_meta {
	unsigned int cnt;
};

struct tagged {
	int type_tag("user") *where;
	int value tag("guarded");
};

kfunc int bpf_tag_plain(struct tagged *t)
{
	return t->value;
}

/* To lose its last argument, and to get a copy with it, named ..._impl. */
kfunc tag("bpf_fastcall") int bpf_tag_implicit(struct tagged *t, int more, struct bpf_prog_aux *aux)
{
	return t->value + more + (int)aux->id;
}

/* Already has its copy. */
kfunc int bpf_tag_twin(const struct bpf_prog_aux *aux)
{
	return (int)aux->id;
}

int bpf_tag_twin_impl(const struct bpf_prog_aux *aux)
{
	return bpf_tag_twin(aux);
}

kfunc unsigned int bpf_tag_meta(struct tagged *t, struct btf_struct_meta *const meta, struct bpf_prog_aux *aux)
{
	return meta->cnt + aux->id + (unsigned int)t->value;
}

SET8_START(tagged_kfuncs, SET_KFUNCS);
PAIR(func, bpf_tag_meta, 0x10004);
PAIR(func, bpf_tag_plain, 0x20);
PAIR(func, bpf_tag_twin, 0x10001);
PAIR(func, bpf_tag_implicit, 0x10002);
SET8_END(tagged_kfuncs);
