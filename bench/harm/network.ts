import { spawnSync } from 'node:child_process'

/*
 * Over loopback the kernel takes up to 2.6 MB of a reply before a sender feels that its reader is slow: its segments are 64 kB,
 * not 1.4 kB as on a link. A thousand slow readers would fill the kernel's memory for TCP, which the honest calls need as well.
 * So callers, proxy and origin of a crowded scenario get a network of their own whose sockets take 64 kB, where Linux lets us.
 */
const SETUP = 'ip link set lo up && echo 4096 16384 65536 >/proc/sys/net/ipv4/tcp_wmem && exec "$0" "$@"'

const isRoot = process.getuid?.() === 0

/** What starts a command in a network of its own. */
export const OWN_NETWORK: readonly string[] = ['unshare', isRoot ? '-n' : '-rn', '--', 'sh', '-c', SETUP]

/** What starts a command in the network of another process. */
export const networkOf = (pid: number): readonly string[] =>
  ['nsenter', '--target', String(pid), ...isRoot ? [] : ['--user', '--preserve-credentials'], '--net', '--']

let possible: boolean | undefined

/** Whether this machine lets us have networks of our own. */
export function hasNetworks(): boolean {
  const [command = '', ...args] = OWN_NETWORK
  return possible ??= spawnSync(command, [...args, 'nsenter', '--version'], { stdio: 'ignore' }).status === 0
}
