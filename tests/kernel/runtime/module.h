/* SPDX-License-Identifier: GPL-2.0-only */
/* What LOCALVAR_MODULE() becomes. */
#define LOAD(...)								\
static struct localvar_module localvar_module = {				\
	.kernel = &localvar_kernel, __VA_ARGS__					\
};										\
static int __init localvar_init(void)						\
{										\
	return localvar_register_module(&localvar_module);			\
}										\
static void __exit localvar_exit(void)						\
{										\
	localvar_unregister_module(&localvar_module);				\
}										\
module_init(localvar_init);							\
module_exit(localvar_exit);							\
MODULE_LICENSE("GPL");								\
MODULE_DESCRIPTION("test of localvar")

#define PROBES(...)								\
	.probes = (struct localvar_probe *[]) { __VA_ARGS__ },			\
	.nr_probes = sizeof((struct localvar_probe *[]) { __VA_ARGS__ }) / sizeof(void *)

#define SITES(...)								\
	.sites = (struct localvar_site []) { __VA_ARGS__ },			\
	.nr_sites = sizeof((struct localvar_site []) { __VA_ARGS__ }) /		\
		    sizeof(struct localvar_site),				\
	.kernel = &localvar_kernel
