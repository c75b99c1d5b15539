// SPDX-License-Identifier: GPL-2.0-only
/* Functions that return each kind of value, made of a number: write it to /sys/module/gives/parameters/work. */
#include <linux/module.h>

enum gives_way { GIVES_UP = -3, GIVES_IN = 5 };
struct gives_small { u8 a, b, c; };
struct gives_mixed { s32 a; s16 b; bool c; };
struct gives_twelve { u32 a[3]; };
struct gives_sixteen { u64 a; s8 b; u16 c : 5, d : 11; };
struct gives_large { u64 a; struct gives_mixed b; u32 c; u64 d; };
struct gives_packed { u8 a; u64 b; } __packed;
union gives_union { u32 a; u8 b[8]; };

#define GIVES(type, name, ...)				\
	type name(long n);				\
	noinline type name(long n)			\
	{						\
		n = READ_ONCE(n);			\
		return __VA_ARGS__;			\
	}

GIVES(s8, give_s8, n)
GIVES(u8, give_u8, n)
GIVES(s16, give_s16, n)
GIVES(u16, give_u16, n)
GIVES(int, give_int, n)
GIVES(u32, give_u32, n)
GIVES(s64, give_s64, n * 0x100000001)
GIVES(bool, give_bool, n & 2)
GIVES(enum gives_way, give_way, n & 1 ? GIVES_UP : GIVES_IN)
GIVES(void *, give_pointer, (void *)n)
GIVES(__int128, give_int128, (__int128)n << 66)
GIVES(struct gives_small, give_small, (struct gives_small){ n, n + 1, n + 2 })
GIVES(struct gives_mixed, give_mixed, (struct gives_mixed){ n, -n, n & 1 })
GIVES(struct gives_twelve, give_twelve, (struct gives_twelve){ { n, n + 1, n + 2 } })
GIVES(struct gives_sixteen, give_sixteen, (struct gives_sixteen){ n, -n, n, n + 7 })
GIVES(struct gives_large, give_large, (struct gives_large){ n, { n, n, n }, n + 2, n + 3 })
GIVES(struct gives_packed, give_packed, (struct gives_packed){ n, n })
GIVES(union gives_union, give_union, (union gives_union){ .b = { n, 1, 2, 3, 4, 5, 6, n } })

void give_nothing(long n);
noinline void give_nothing(long n)
{
	barrier_data(&n);
}

/* What is on the way is not what is given: an argument that changes, and a call inside. */
long give_down(long n);
noinline long give_down(long n)
{
	return n > 0 ? give_down(n - 1) + READ_ONCE(n) : 0;
}

static int work_set(const char *text, const struct kernel_param *kp)
{
	long n;
	u64 all;

	if (kstrtol(text, 0, &n))
		return -EINVAL;
	all = give_s8(n) + give_u8(n) + give_s16(n) + give_u16(n) + give_int(n) + give_u32(n) + give_s64(n) +
	      give_bool(n) + give_way(n) + (long)give_pointer(n) + (u64)(give_int128(n) >> 64) + give_small(n).a +
	      give_mixed(n).a + give_twelve(n).a[0] + give_sixteen(n).a + give_large(n).a + give_packed(n).a +
	      give_union(n).a + give_down(n & 3);
	give_nothing(all);
	return 0;
}

static const struct kernel_param_ops work_ops = { .set = work_set };
module_param_cb(work, &work_ops, NULL, 0200);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("test of localvar");
