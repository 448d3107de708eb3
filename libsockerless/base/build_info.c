#include "base/build_info.h"

#include "base/build_commit.h"

void skl_build_info(const char *program, struct skl_buf *out)
{
    skl_buf_addf(out, "%s %s\nbuild %s%s%s, %s\n", program, SKL_VERSION, SKL_BUILD_COMMIT,
                 *SKL_BUILD_DATE ? " of " : "", SKL_BUILD_DATE, SKL_COMPILER);
}
