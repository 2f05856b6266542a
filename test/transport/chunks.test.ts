import { equal, ok } from 'node:assert/strict'
import { suite, test } from 'node:test'
import { createClient } from '../../src/index.ts'
import { Chunks } from '../../src/transport/chunks.ts'
import { closing } from '../support/check.ts'
import * as hostile from '../support/hostile.ts'

const MIB = 1024 * 1024

suite('the chunks of a body', () => {
  /** A body, its bytes all different in their order, cut into pieces of these sizes in turn; each a slice of a larger read. */
  const pieces = (size: number, sizes: readonly number[], read: number): Buffer[] => {
    const cut: Buffer[] = []
    for (let at = 0, i = 0; at < size; i++) {
      const length = Math.min(size - at, sizes[i % sizes.length] ?? 1)
      const whole = Buffer.alloc(Math.max(read, length))
      for (let j = 0; j < length; j++) whole[j] = (at + j) * 31 % 251
      cut.push(whole.subarray(0, length))
      at += length
    }
    return cut
  }
  const cases: [number, number[], number][] = [
    [1, [1], 1], [10_000, [1], 1], [10_000, [1], 500], [200_000, [1, 4_095, 4_096, 4_097], 1], [200_000, [4_096, 1], 9_000],
    [500_000, [65_536], 1], [500_000, [70_000, 3], 1], [500_000, [100_000], 250_000], [300_000, [0, 5_000], 65_536],
  ]
  for (const [size, sizes, read] of cases) {
    test(`are joined in their order: ${size} bytes in chunks of ${sizes.join(', ')}, of reads of ${read}`, () => {
      const cut = pieces(size, sizes, read)
      const chunks = new Chunks()
      for (const piece of cut) chunks.add(piece)
      ok(chunks.concat().equals(Buffer.concat(cut)))
    })
  }

  test('take no more than twice their size in memory, however small they are', async t => {
    const size = 4 * MIB
    const server = await closing(t, hostile.startHostile(hostile.fault('tinyChunks', ({ socket }, fire) => {
      fire()
      const piece = Buffer.from('1\r\na\r\n'.repeat(16_384))
      socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n')
      let sent = 0
      const more = (): void => {
        while (sent < size) {
          sent += 16_384
          if (!socket.write(piece)) {
            socket.once('drain', more)
            return
          }
        }
        socket.end('0\r\n\r\n')
      }
      more()
    })))
    const client = await closing(t, createClient({ retry: false }))
    const used = (): number => {
      const { heapUsed, arrayBuffers } = process.memoryUsage()
      return heapUsed + arrayBuffers
    }
    const before = used()
    let most = 0
    const timer = setInterval(() => { most = Math.max(most, used() - before) }, 5)
    const reply = await client.get(server.url).finally(() => { clearInterval(timer) })
    equal(reply.bytes().length, size)
    // Twice the size, and what the garbage collector has left until now of the slices: a slice each would be 560 MiB.
    ok(most < 80 * MIB, `${Math.round(most / MIB)} MiB`)
    ok(reply.bytes().every(byte => byte === 97))
  })
})
