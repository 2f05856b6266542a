// Drives an open-loop load through one client: a process of its own, as the demo does, with the peers to choose from.
import { driveClient } from '../../demo/drive-client.ts'
import { CLIENTS } from './clients.ts'

driveClient(CLIENTS)
