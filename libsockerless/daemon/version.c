#include "daemon/version.h"

#include <bzlib.h>
#include <civetweb.h>
#include <cjson/cJSON.h>
#include <curl/curl.h>
#include <llhttp.h>
#include <lzma.h>
#include <mbedtls/version.h>
#include <sqlite3.h>
#include <uv.h>
#include <zlib.h>
#include <zstd.h>

#include "base/build_info.h"

void skl_version(const char *program, struct skl_buf *out)
{
    char mbedtls[32];

    mbedtls_version_get_string_full(mbedtls);
    skl_build_info(program, out);
    skl_buf_addf(out, "libuv/%s llhttp/%d.%d.%d cJSON/%s SQLite/%s CivetWeb/%s\n",
                 uv_version_string(), LLHTTP_VERSION_MAJOR, LLHTTP_VERSION_MINOR,
                 LLHTTP_VERSION_PATCH, cJSON_Version(), sqlite3_libversion(), mg_version());
    skl_buf_addf(out, "%s zlib/%s bzip2/%s liblzma/%s zstd/%s\n", mbedtls, zlibVersion(),
                 BZ2_bzlibVersion(), lzma_version_string(), ZSTD_versionString());
    skl_buf_addf(out, "%s\n", curl_version());
}
