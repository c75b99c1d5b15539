# SPDX-License-Identifier: GPL-2.0-or-later
"""The scan stage: a handler's C file and its compile flags to a ProbeSource.

    lexer       text to C tokens that know their byte offsets
    parse       libclang: what the compiler says about the file (imported when first used)
    flags       gcc's options to clang's
    stream      the tokens of the module's files, with macros that hold localvar's macros expanded
    macros      uses of localvar's macros in a stream
    functions   the functions of a stream, their pt_regs parameter, whom they call
    inclusions  what the #include directives say
    literals    where a character of a string literal is written
    files       which of the files that were read belong to the module
    registers   whether uses read through the registers of the probe that fired
    guards      which uses stand where LOCAL_VAR_AVAILABLE() holds
    probes      LOCALVAR_PROBE, PROBE_LOCATION, PROBE_ALIAS, LOCALVAR_BEGIN and kin
    problems    which of the compiler's complaints are the user's concern at this stage
    scan        all of it in order
"""
