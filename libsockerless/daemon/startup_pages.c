/* Forty libraries come with libcurl, and linking them touches their symbol tables and constructors: 8 MB
 * that an idle daemon never looks at again. The kernel would take such pages back only under pressure. They are
 * clean copies of files, so they can be dropped from this process at any time; only segments that are
 * never written to are touched. */
#include "daemon/startup_pages.h"

#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/macros.h"

static int release_object(struct dl_phdr_info *info, size_t size SKL_UNUSED, void *arg SKL_UNUSED)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uintptr_t from = (info->dlpi_addr + segment->p_vaddr) & ~(page - 1);
        uintptr_t to = info->dlpi_addr + segment->p_vaddr + segment->p_memsz;

        if (segment->p_type == PT_LOAD && !(segment->p_flags & PF_W))
            (void)madvise((void *)from, to - from, MADV_DONTNEED); /* a refusal costs nothing */
    }
    return 0;
}

void skl_startup_pages_release(void)
{
    (void)dl_iterate_phdr(release_object, NULL);
    (void)malloc_trim(0);
}
