// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A program that counts how often it comes to lines of its own: TELL(f) stands in front of a line that calls f(), which is
 * only inlined, and counts in told[] under its own line's number.  Nothing may be counted there that did not happen.
 */
#include <stdio.h>

#define INLINE static inline __attribute__((always_inline))
#define NOINLINE __attribute__((noinline))
#define LINES 256
#define TELL(f) (told[__LINE__]++)

struct node {
	long key;
	struct node *next;
	int flags;
	long sum;
};

static volatile unsigned long told[LINES];

INLINE long key_of(const struct node *node)
{
	return node->key;
}

INLINE int is_set(const struct node *node, int bit)
{
	return (node->flags >> bit) & 1;
}

INLINE struct node *next_of(const struct node *node)
{
	return node->next;
}

INLINE unsigned long mix(unsigned long value)
{
	value ^= value >> 7;
	value *= 0x9E3779B97F4A7C15ul;
	return value ^ (value >> 31);
}

INLINE void add_to(struct node *node, long value)
{
	node->sum += value;
}

INLINE long clamp_to(long value, long low, long high)
{
	return value < low ? low : value > high ? high : value;
}

INLINE long min_of(long a, long b)
{
	return a < b ? a : b;
}

INLINE long deref(const long *where)
{
	return *where;
}

INLINE long outer(struct node *node, long value)
{
	long key;

	TELL(key_of);
	key = key_of(node);
	if (key > value)
		return key;
	TELL(clamp_to);
	return clamp_to(value, -5, 5) + key;
}

INLINE int find(const long *values, int count, long key)
{
	int i;

	for (i = 0; i < count; i++) {
		TELL(deref);
		if (deref(values + i) == key)
			return i;
	}
	return -1;
}

static NOINLINE long walk(struct node *node, long limit)
{
	long total = 0;

	while (node) {
		TELL(is_set);
		if (is_set(node, 2)) {
			TELL(key_of);
			total += key_of(node);
		} else if (limit > 3) {
			TELL(outer);
			total += outer(node, limit);
		}
		TELL(next_of);
		node = next_of(node);
	}
	return total;
}

static NOINLINE long choose(struct node *node, long a, long b, const long *where)
{
	long found = 0;

	if (a > b) {
		TELL(min_of);
		found = min_of(a, b);
		TELL(add_to);
		add_to(node, found);
	}
	if (node->flags & 1) {
		TELL(deref);
		found += deref(where);
	}
	if (found & 8) {
		TELL(mix);
		found ^= (long)mix((unsigned long)a);
	}
	TELL(clamp_to);
	return clamp_to(found, -100, b);
}

static NOINLINE long table(const long *values, int count, long key)
{
	long total = 0;
	int i;

	for (i = 0; i < count; i++) {
		if (values[i] == key)
			continue;
		TELL(deref);
		total += deref(values + i);
		if (total & 1) {
			TELL(mix);
			total += (long)(mix((unsigned long)total) & 15);
		}
		TELL(min_of);
		total = min_of(total, 1000);
	}
	return total;
}

static NOINLINE long pick(struct node *node, const long *values, int kind)
{
	long found = 0;

	switch (kind) {
	case 0:
		TELL(key_of);
		found = key_of(node);
		break;
	case 1:
		TELL(deref);
		found = deref(values + 3);
		goto out;
	case 2:
		TELL(find);
		found = find(values, 7, 4);
		if (found < 0)
			goto out;
		/* fall through */
	case 3:
		TELL(min_of);
		found = min_of(found, node->sum);
		break;
	case 4:
		if (node->next) {
			TELL(is_set);
			found = is_set(node->next, 0);
		}
		break;
	default:
		return -1;
	}
	TELL(add_to);
	add_to(node, 1);
out:
	TELL(mix);
	return found + (long)(mix((unsigned long)kind) & 1);
}

int main(void)
{
	struct node nodes[8];
	long values[16], total = 0;
	int i;

	for (i = 0; i < 16; i++)
		values[i] = (i * 7) % 11;
	for (i = 0; i < 8; i++)
		nodes[i] = (struct node){ .key = i * 3 - 4, .next = i < 7 ? &nodes[i + 1] : NULL, .flags = i * 5 };
	for (i = 0; i < 37; i++) {
		total += walk(&nodes[i % 8], i % 7);
		total += choose(&nodes[i % 8], i % 5, i % 3, &values[i % 16]);
		total += table(values, i % 16, i % 11);
		total += pick(&nodes[i % 8], values, i % 6);
	}
	for (i = 0; i < LINES; i++)
		if (told[i])
			printf("told %d %lu\n", i, told[i]);
	printf("total %ld\n", total);
	return 0;
}
