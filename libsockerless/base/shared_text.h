/* shared_text - long texts that many objects have alike, held once: a thousand containers have the same
 * HostConfig of 1.5 KB.
 *
 * Owns    a shared text is never changed; each holder has one reference
 * Thread  loop thread only
 */
#ifndef SKL_BASE_SHARED_TEXT_H
#define SKL_BASE_SHARED_TEXT_H

/* Swallows own_text and returns the text that stands for all equal ones. NULL stays NULL. */
const char *skl_text_share(char *own_text);
void skl_text_unref(const char *text); /* NULL is fine */

#endif
