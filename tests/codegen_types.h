/* SPDX-License-Identifier: GPL-2.0-only */
/* Types of every shape, for accessors that are compiled and run: see test_codegen_values.py. */

typedef signed char tiny;
typedef unsigned long word;

enum plain { PLAIN_ZERO, PLAIN_ONE, PLAIN_MANY = 200 };
enum negative { NEGATIVE = -1, POSITIVE = 200 };
enum __attribute__((packed)) small { SMALL_ZERO, SMALL_LAST = 255 };

struct pair {
	int left;
	short right;
};

struct fields {
	int first : 3;
	unsigned int second : 5;
	int : 0;
	long third : 33;
	unsigned long fourth : 31;
	enum negative fifth : 9;
	_Bool sixth : 1;
	tiny seventh : 4;
	unsigned short eighth : 11;
};

struct __attribute__((packed)) tight {
	char before;
	unsigned int odd : 13;
	int bits : 17;
	long long unaligned;
	unsigned int crossing : 30;
};

union either {
	int number;
	unsigned char bytes[8];
	struct pair pair;
	struct {
		unsigned int low : 12;
		int high : 20;
	};
};

struct all {
	_Bool flag;
	char letter;
	tiny little;
	unsigned char byte;
	short half;
	unsigned short uhalf;
	const int whole;
	volatile unsigned int uwhole;
	long wide;
	word uwide;
	long long longest;
	__int128 huge;
	unsigned __int128 uhuge;
	enum plain plain;
	enum negative negative;
	enum small small;
	enum { UNNAMED_A = 1, UNNAMED_B = 70000 } unnamed;
	void *nowhere;
	const char *text;
	struct all *self;
	struct pair *pairs;
	int (*call)(struct all *, int);
	int numbers[5];
	struct pair matrix[2][3];
	struct pair pair;
	struct fields fields;
	struct tight tight;
	union either either;
	union {
		int inner;
		struct {
			short deep;
			short deeper;
		};
	};
	struct {
		int named;
	} local;
	int last[];
};

/* Debug info of the types, and a _Bool that is one whatever bytes it was filled with. */
extern struct all everything;
struct all *settle(struct all *object);
