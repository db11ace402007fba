/* SPDX-License-Identifier: Apache-2.0 */
/* Listening sockets from addresses as people write them. */
#ifndef NET_LISTEN_H
#define NET_LISTEN_H

#include "lib/base/err.h"

#include <stdint.h>

/*
 * Listens on "host:port", ":port" (every address of the machine) or "[::1]:port"; port 0 is any free one. Returns the
 * descriptor, non-blocking, with the port it got in *port. -EINVAL for another form, -ENOENT for a host that isn't
 * known, or -errno; the error names the address.
 */
int listen_tcp(const char *address, uint16_t *port, struct err *e);

#endif
