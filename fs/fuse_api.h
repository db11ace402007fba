/* SPDX-License-Identifier: Apache-2.0 */
/* The one place that includes libfuse, so that only this folder depends on it and all of it on one version.
 */
#ifndef FS_FUSE_API_H
#define FS_FUSE_API_H

#ifndef FUSE_USE_VERSION
#define FUSE_USE_VERSION 314
#endif
#include <fuse_lowlevel.h>

#endif
