# SPDX-License-Identifier: GPL-2.0-only
# Builds the handlers of an external module from what localvar expands them to:
#
#	obj-m += oom.o
#	include $(shell localvar kbuild)
#
#	make -C /lib/modules/$(uname -r)/build M=$PWD localvar=1
#
# Each .c file here that includes localvar.h, or a header of the module's own
# that does, is expanded to FILE.localvar.c, and FILE.o is compiled from that.
#
# LOCALVAR		the localvar command
# LOCALVAR_VMLINUX	the debug file of the kernel, where localvar shall not search
# LOCALVAR_FLAGS	more options for "localvar expand"

LOCALVAR ?= localvar

localvar-dir     := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))
localvar-include := $(abspath $(localvar-dir)/../include)

# Only where Kbuild reads this for a folder.
ifneq ($(obj),)

# The names of the files without .c, below $(src); "stale:NAME" where what it was
# expanded from is newer in a way that make does not see.
localvar-found := $(shell sh $(localvar-dir)/sources.sh $(src) $(obj))
localvar-stems := $(filter-out stale:%,$(localvar-found))
localvar-stale := $(patsubst stale:%,%,$(filter stale:%,$(localvar-found)))

clean-files += *.localvar.c $(addsuffix .localvar.c,$(localvar-stems))

LINUXINCLUDE += -I$(localvar-include)
$(foreach s,$(localvar-stems),$(if $(findstring /,$s),\
	$(eval CFLAGS_$s.o += -iquote $(src)/$(patsubst %/,%,$(dir $s)))))

ifneq ($(localvar),1)

# The compiler stops at the line in localvar.h that says what to do.
$(foreach s,$(localvar-stems),$(eval CFLAGS_$s.o += -Wfatal-errors))

else

localvar-files := $(patsubst %,$(obj)/%.localvar.c,$(localvar-stems))
targets += $(addsuffix .localvar.c,$(localvar-stems))

# The flags of FILE.o, as Kbuild works them out when its target is FILE.o.
localvar-flags = $(foreach @,$(@:.localvar.c=.o),$(filter-out -Wp$(comma)-M%,$(c_flags)))

# The files of a composite module that are expanded, in the order of linking:
# the first one carries the run time.
localvar-members = $($1-objs) $($1-y) $($1-m)
localvar-units = $(foreach m,$(patsubst $(obj)/%,%,$(obj-m:.o=)),\
	$(if $(filter $*.o,$(call localvar-members,$m)),\
	     $(filter $(addsuffix .o,$(localvar-stems)),$(call localvar-members,$m))))

localvar-depfile = $(dir $@).$(basename $(notdir $@)).d

quiet_cmd_localvar = LOCALVAR $@
      cmd_localvar = $(LOCALVAR) expand $< -o $@ --depfile $(localvar-depfile) \
	--build $(abspath $(objtree)) \
	$(if $(LOCALVAR_VMLINUX),--vmlinux $(LOCALVAR_VMLINUX)) \
	$(patsubst %.o,--unit $(src)/%.c,$(localvar-units)) \
	$(LOCALVAR_FLAGS) -- $(localvar-flags)

$(localvar-files): $(obj)/%.localvar.c: $(src)/%.c FORCE
	$(call if_changed,localvar)

$(localvar-files:.localvar.c=.o): $(obj)/%.o: $(obj)/%.localvar.c FORCE
	$(call if_changed_rule,cc_o_c)
	$(call cmd,force_checksrc)

# What an expanded file was made from.
-include $(join $(dir $(localvar-files)),$(patsubst %.c,.%.d,$(notdir $(localvar-files))))

# Kbuild makes a file again whose command line it does not know; the variable is
# savedcmd_FILE since Linux 6.2.
$(foreach f,$(patsubst ./%,%,$(patsubst %,$(obj)/%.localvar.c,$(localvar-stale))),\
	$(eval override savedcmd_$f :=)$(eval override cmd_$f :=))

endif
endif
