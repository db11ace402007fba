/* SPDX-License-Identifier: Apache-2.0 */
/* CRC-32C (Castagnoli, RFC 3720 appendix B.4), as every Prometheus format uses it. */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The checksum of what `crc` covers followed by n bytes at p; start with 0. */
uint32_t crc32c(uint32_t crc, const void *p, size_t n);

/* The table-driven version, whatever the processor: what crc32c falls back to, and is tested against. */
uint32_t crc32c_portable(uint32_t crc, const void *p, size_t n);

#endif
