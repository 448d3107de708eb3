/* image_import - the import half of POST /images/create.
 *
 * Thread  loop thread
 */
#ifndef SKL_DOCKER_IMAGE_IMPORT_H
#define SKL_DOCKER_IMAGE_IMPORT_H

#include "docker/api/request.h"

/* Answers the request, whose fromSrc is given. */
void skl_image_import(struct skl_request *r);

#endif
