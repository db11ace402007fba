/* SPDX-License-Identifier: Apache-2.0 */
/* The counters of requests. */
#include "store/request_metrics.h"

#include "lib/base/metrics.h"

METRIC_FAMILY(operations, METRIC_TYPE_COUNTER, "thanosfs_objstore_operations_total",
	"Requests sent to the object store; each page, part and try counts.", "operation")
METRIC_FAMILY(failures, METRIC_TYPE_COUNTER, "thanosfs_objstore_operation_failures_total",
	"Requests to the object store that failed; that an object isn't there is no failure.", "operation")
METRIC_FAMILY(bytes, METRIC_TYPE_COUNTER, "thanosfs_objstore_bytes_total",
	"Bytes of bodies sent to and received from the object store.", "direction")

void request_metrics_add(const char *operation, bool has_failed, uint64_t sent_bytes, uint64_t received_bytes)
{
	metric_add(metric_of(&operations, operation), 1);
	if (has_failed)
		metric_add(metric_of(&failures, operation), 1);
	if (sent_bytes)
		metric_add(metric_of(&bytes, "sent"), sent_bytes);
	if (received_bytes)
		metric_add(metric_of(&bytes, "received"), received_bytes);
}
