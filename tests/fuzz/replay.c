/* replay - runs a fuzz target over files, and over mutations of them, as an ordinary test.
 *
 *     fuzz_X FOLDER|FILE...
 *
 * Without a fuzzing engine this keeps every found case working, and a few thousand mutations with a
 * fixed seed look a little further on each build.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define REPLAY_MAX (64 * 1024)
#define MUTATIONS  300

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static uint64_t seed = 88172645463325252u;
static unsigned runs;

static uint32_t next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 16);
}

static void run(const uint8_t *p, size_t n)
{
    /* A copy of the exact size: a sanitizer sees the first byte read beyond it. */
    uint8_t *copy = malloc(n ? n : 1);
    if (!copy)
        abort();
    memcpy(copy, p, n);
    LLVMFuzzerTestOneInput(copy, n);
    free(copy);
    runs++;
}

static void mutate(const uint8_t *p, size_t n)
{
    static uint8_t b[REPLAY_MAX];
    memcpy(b, p, n);
    for (uint32_t k = next_random() % 4 + 1; k > 0 && n > 0; k--) {
        size_t at = next_random() % n;
        switch (next_random() % 5) {
        case 0:
            b[at] ^= (uint8_t)(1u << next_random() % 8);
            break;
        case 1:
            b[at] = (uint8_t)next_random();
            break;
        case 2:
            n = at;
            break;
        case 3:
            memmove(b + at, b + at + 1, n - at - 1);
            n--;
            break;
        default:
            if (n < REPLAY_MAX) {
                memmove(b + at + 1, b + at, n - at);
                n++;
            }
        }
    }
    run(b, n);
}

static int replay_file(const char *path)
{
    static uint8_t b[REPLAY_MAX];
    FILE *f = fopen(path, "rb");
    if (!f) {
        perror(path);
        return 1;
    }
    size_t n = fread(b, 1, sizeof(b), f);
    fclose(f);
    run(b, n);
    for (int i = 0; i < MUTATIONS; i++)
        mutate(b, n);
    return 0;
}

static int replay(const char *path)
{
    struct stat st;
    char name[4096];
    int failed = 0;
    if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
        return replay_file(path);
    DIR *d = opendir(path);
    if (!d) {
        perror(path);
        return 1;
    }
    for (struct dirent *e; (e = readdir(d));) {
        if (e->d_name[0] == '.')
            continue;
        snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
        failed += replay_file(name);
    }
    closedir(d);
    return failed;
}

int main(int argc, char **argv)
{
    int failed = 0;
    for (int i = 1; i < argc; i++)
        failed += replay(argv[i]);
    printf("%u runs\n", runs);
    return failed || !runs ? EXIT_FAILURE : EXIT_SUCCESS;
}
