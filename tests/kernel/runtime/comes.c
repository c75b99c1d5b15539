// SPDX-License-Identifier: GPL-2.0-only
/* Probes in the module victim, which may be there or come later. */
#include <linux/module.h>
#include <localvar.h>
#include "places.h"
#include "victim.h"
#include "module.h"

static struct localvar_object victim;

static struct localvar_section text = {
	.object = &victim, .anchor = "victim_first", .anchor_offset = VICTIM_FIRST,
};

static struct localvar_section data = {
	.object = &victim, .anchor = "secret", .anchor_offset = VICTIM_SECRET,
};

static struct localvar_object victim = {
	.name = "victim", .build_id = VICTIM_BUILD_ID, .build_id_size = 20,
	.sections = (struct localvar_section *[]) { &text, &data }, .nr_sections = 2,
};

static int at_work(struct pt_regs *regs, void *buf, int bufsize)
{
	unsigned long secret = localvar_address(&localvar_kernel, &data, VICTIM_SECRET);

	return scnprintf(buf, bufsize, "n=%d secret=%d", (int)regs->di,
			 localvar_load(int, secret));
}

static struct localvar_probe at_work_probe = {
	.name = "at_work", .handler = at_work,
	SITES({ .section = &text, .address = VICTIM_WORK, .name = "victim:victim_work+0x0" }),
};

static struct localvar_entry work_entry = {
	.section = &text, .address = VICTIM_WORK, .name = "victim:victim_work",
};

static int work_returns(struct pt_regs *regs, void *buf, int bufsize)
{
	return scnprintf(buf, bufsize, "n=%d returned=%d", (int)localvar_entry_regs()->di,
			 (int)regs_return_value(regs));
}

static struct localvar_probe work_returns_probe = {
	.name = "work_returns", .handler = work_returns,
	SITES({ .section = &text, .address = VICTIM_WORK, .name = "victim:victim_work",
		.kind = LOCALVAR_RETURN }),
};

static int in_kernel(struct pt_regs *regs, void *buf, int bufsize)
{
	unsigned long secret = localvar_address(&localvar_kernel, &data, VICTIM_SECRET);
	int value;

	if (!localvar_try_read(&value, (void *)secret, sizeof(value)))
		return scnprintf(buf, bufsize, "not there");
	return scnprintf(buf, bufsize, "secret=%d", value);
}

static struct localvar_probe in_kernel_probe = {
	.name = "in_kernel", .handler = in_kernel,
	SITES({ .address = IOPRIO_GET, .name = "ioprio_get+0x0" }),
};

static unsigned long entry_cfa(const struct pt_regs *regs)
{
	return localvar_entry_cfa(regs);
}

/* The entry is captured before this site, which is at the same address, is reached. */
static int with_entry(struct pt_regs *regs, void *buf, int bufsize)
{
	return scnprintf(buf, bufsize, "n=%d", (int)localvar_entry_regs()->di);
}

static struct localvar_probe with_entry_probe = {
	.name = "with_entry", .handler = with_entry,
	SITES({ .section = &text, .address = VICTIM_WORK + VICTIM_WORK_AFTER_NOP,
		.name = "victim:victim_work (behind the nop)", .entry = &work_entry,
		.cfa = entry_cfa }),
};

LOAD(PROBES(&at_work_probe, &work_returns_probe, &in_kernel_probe, &with_entry_probe));
