/* banned - functions that are always the wrong choice here; force-included for our own sources. */
#ifndef SKL_BASE_BANNED_H
#define SKL_BASE_BANNED_H

/* The real declarations come first, so that only our uses of the names fail. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#if defined(__has_include)
#if __has_include(<alloca.h>)
#include <alloca.h>
#endif
#endif

#undef strcpy
#undef strcat
#undef strtok
#undef alloca
#pragma GCC poison strcpy strcat sprintf vsprintf strtok atoi atol gmtime localtime rand alloca

#endif
