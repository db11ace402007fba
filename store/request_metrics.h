/* SPDX-License-Identifier: Apache-2.0 */
/* What requests to an object store are counted as, whatever the kind of store. */
#ifndef STORE_REQUEST_METRICS_H
#define STORE_REQUEST_METRICS_H

#include <stdbool.h>
#include <stdint.h>

/* One request: "list", "stat", "read", "put" or "remove"; the bytes are those of bodies. */
void request_metrics_add(
	const char *operation, bool has_failed, uint64_t sent_bytes, uint64_t received_bytes);

#endif
