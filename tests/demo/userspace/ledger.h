/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The types of ledger.c, which the probe on it uses too. */
struct account {
	const char *owner;
	long balance;
	unsigned int overdrafts : 4;
};

long transfer(struct account *from, struct account *to, long amount);
