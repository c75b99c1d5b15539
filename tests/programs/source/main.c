// SPDX-License-Identifier: GPL-2.0-or-later
#include "program.h"

int main(void)
{
	long total = 0;

	total += aggregates();
	total += arrays();
	total += blocks();
	total += calls();
	total += constants();
	total += entries();
	total += frames();
	total += inlining();
	total += scalars();
	total += statics();
	total += statics_other();
	tell("main", "total", total);
	return 0;
}
