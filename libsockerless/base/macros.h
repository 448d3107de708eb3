/* macros - compiler attributes and the few macros that every layer uses. */
#ifndef SKL_BASE_MACROS_H
#define SKL_BASE_MACROS_H

#include <stddef.h>

#define SKL_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define SKL_NORETURN          __attribute__((noreturn))
#define SKL_UNUSED            __attribute__((unused))
#define SKL_MUST_USE          __attribute__((warn_unused_result))

#define SKL_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* The structure that holds `member`, from a pointer to the member. */
#define SKL_CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* Scope-bound ownership: SKL_DEFINE_AUTO(thing) once after skl_thing_free() is declared, then
 * `SKL_AUTO(thing) x = ...;` frees at the end of the scope unless skl_take(&x) moved it out. */
#define SKL_DEFINE_AUTO(thing)                                                                     \
    static inline void skl_auto_##thing(struct skl_##thing **p)                                    \
    {                                                                                              \
        skl_##thing##_free(*p);                                                                    \
    }                                                                                              \
    struct skl_##thing
#define SKL_AUTO(thing) __attribute__((cleanup(skl_auto_##thing))) struct skl_##thing *
#define skl_take(pp)                                                                               \
    __extension__({                                                                                \
        __typeof__(*(pp)) skl_taken_ = *(pp);                                                      \
        *(pp) = NULL;                                                                              \
        skl_taken_;                                                                                \
    })

/* SKL_ASSERT is for our own mistakes, on in release; never for input, clouds or disks. */
#define SKL_ASSERT(cond) ((cond) ? (void)0 : skl_assert_failed(#cond, __FILE__, __LINE__, __func__))
#ifdef NDEBUG
#define SKL_DASSERT(cond) ((void)0)
#else
#define SKL_DASSERT(cond) SKL_ASSERT(cond)
#endif

void skl_assert_failed(const char *cond, const char *file, int line, const char *func) SKL_NORETURN;

#endif
