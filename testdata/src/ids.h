/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Entries of .BTF_ids: words whose meaning is told only by the local symbols
 * in front of them. Written from the description of the format alone.
 */
#ifndef IDS_H
#define IDS_H

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

/* '%' in a section type: '@' begins a comment in 32-bit Arm assembly. */
#define IDS(lines)                                 \
	asm(".pushsection .BTF_ids, \"a\", %progbits\n" \
	    lines                                      \
	    ".popsection\n")

#define LOCAL_LABEL(name) ".local " name "\n" name ":\n"
#define END_OF(name) ".size " name ", . - " name "\n"
#define WORDS(n) ".zero 4 * " TEXT(n) "\n"

/* One member: a word with a symbol of type STT_OBJECT and size 4. */
#define MEMBER_SYMBOL(kind, name, n) "__BTF_ID__" kind "__" name "__" TEXT(n)
#define MEMBER_(sym)            \
	LOCAL_LABEL(sym)            \
	".type " sym ", %object\n"  \
	".size " sym ", 4\n"        \
	WORDS(1)
#define MEMBER(kind, name, n) MEMBER_(MEMBER_SYMBOL(kind, name, n))

/* A list keeps its order. */
#define ID_LIST(list)            \
	IDS(LOCAL_LABEL(#list)); \
	extern unsigned int list[]
#define ID(kind, name) IDS(MEMBER(#kind, #name, __COUNTER__))
/* No symbol: the word stays as it is. Not zero here, so that tests can tell. */
#define ID_UNUSED IDS(".byte 0x5a, 0x5a, 0x5a, 0x5a\n")

/* A set: count, then IDs. */
#define SET_START(set) IDS(LOCAL_LABEL(#set) LOCAL_LABEL("__BTF_ID__set__" #set) WORDS(1))
#define SET_END(set)                        \
	IDS(END_OF("__BTF_ID__set__" #set)); \
	extern struct id_set set

/* A set8: count, flags of the set, then pairs (ID, flags). */
#define SET8_START(set, set_flags)                                 \
	IDS(LOCAL_LABEL(#set) LOCAL_LABEL("__BTF_ID__set8__" #set) \
	    WORDS(1) ".4byte " TEXT(set_flags) "\n")
#define SET8_END(set)                        \
	IDS(END_OF("__BTF_ID__set8__" #set)); \
	extern struct id_set8 set
#define PAIR(kind, name, flags) IDS(MEMBER(#kind, #name, __COUNTER__) ".4byte " TEXT(flags) "\n")

struct id_set {
	unsigned int count;
	unsigned int ids[];
};

struct id_set8 {
	unsigned int count;
	unsigned int flags;
	struct {
		unsigned int id;
		unsigned int flags;
	} pairs[];
};

/* Bit 0 of a set's flags: its members are kfuncs. */
#define SET_KFUNCS 1

/* Flags of a kfunc, the kernel's bits. */
#define ACQUIRE 0x1
#define RELEASE 0x2
#define RET_NULL 0x4
#define TRUSTED 0x10
#define SLEEPABLE 0x20
#define DESTRUCTIVE 0x40
#define RCU 0x80
#define ITER_NEW 0x100
#define ITER_NEXT 0x200
#define ITER_DESTROY 0x400
#define IMPLICIT_ARGS 0x10000

#endif
