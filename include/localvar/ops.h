/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Operations of DWARF expressions (DWARF 5 section 2.5.1.4) that C has only
 * for some operands. Arguments are evaluated once.
 */
#ifndef _LOCALVAR_OPS_H
#define _LOCALVAR_OPS_H

/**
 * localvar_shl() - value << count for any count
 * @type: unsigned type of the value
 * @value: what is shifted
 * @count: by how many bits, unsigned
 *
 * Return: the shifted value; zero where all bits are shifted out.
 */
#define localvar_shl(type, value, count)				\
({									\
	type __localvar_value = (value);				\
	typeof(count) __localvar_count = (count);			\
									\
	(type)(__localvar_count < 8 * sizeof(type) ?			\
	       __localvar_value << __localvar_count : 0);		\
})

/**
 * localvar_shr() - value >> count for any count, filling with zeros
 * @type: unsigned type of the value
 * @value: what is shifted
 * @count: by how many bits, unsigned
 *
 * Return: the shifted value; zero where all bits are shifted out.
 */
#define localvar_shr(type, value, count)				\
({									\
	type __localvar_value = (value);				\
	typeof(count) __localvar_count = (count);			\
									\
	(type)(__localvar_count < 8 * sizeof(type) ?			\
	       __localvar_value >> __localvar_count : 0);		\
})

/**
 * localvar_sar() - value >> count for any count, filling with the sign
 * @type: signed type of the value
 * @value: what is shifted
 * @count: by how many bits, unsigned
 *
 * Return: the shifted value; 0 or -1 where all bits are shifted out.
 */
#define localvar_sar(type, value, count)				\
({									\
	type __localvar_value = (type)(value);				\
	typeof(count) __localvar_count = (count);			\
									\
	(type)(__localvar_value >> (__localvar_count < 8 * sizeof(type) ?	\
	       __localvar_count : 8 * sizeof(type) - 1));		\
})

/**
 * localvar_abs() - the magnitude of a value
 * @type: unsigned type of the result
 * @value: the value, of the signed type of the same size
 *
 * Return: the magnitude; of the most negative value its own bits.
 */
#define localvar_abs(type, value)					\
({									\
	typeof(value) __localvar_value = (value);			\
									\
	(type)(__localvar_value < 0 ? -(type)__localvar_value :		\
	       (type)__localvar_value);					\
})

#endif /* _LOCALVAR_OPS_H */
