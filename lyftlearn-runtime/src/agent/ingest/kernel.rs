//! What the kernel says of the sockets.

use std::collections::HashMap;

use super::sockets::Socket;
use crate::contract::{limits, linux};
use crate::facts::Facts;
use crate::metrics::statsd::Listener;

/// How many packets each UDP socket has dropped since it is there. Where the kernel does not
/// tell, there is nothing.
pub(super) fn drops(sockets: &[(Listener, Socket)]) -> Vec<(Listener, u64)> {
    let here = Facts::empty().with_root("/");
    let mut by_inode = HashMap::new();
    for path in linux::UDP_SOCKETS {
        let table = here.file(path, limits::KERNEL_FILE_BYTES).ok().flatten();
        by_inode.extend(read(&String::from_utf8_lossy(&table.unwrap_or_default())));
    }
    let sockets = sockets.iter();
    sockets
        .filter_map(|(listener, socket)| {
            let inode = rustix::fs::fstat(socket).ok()?.st_ino;
            Some((*listener, *by_inode.get(&inode)?))
        })
        .collect()
}

/// Inodes, and how much each has dropped: the tenth column, and the last.
fn read(table: &str) -> impl Iterator<Item = (u64, u64)> {
    table.lines().skip(1).filter_map(|line| {
        let mut columns = line.split_whitespace();
        let inode = columns.nth(9)?.parse().ok()?;
        Some((inode, columns.next_back()?.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_socket_is_known_by_its_inode() {
        let table = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n\
                     16017: 0100007F:1FBD 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4711 2 0000000000000000 12\n\
                     garbage\n";
        assert_eq!(super::read(table).collect::<Vec<_>>(), [(4_711, 12)]);
    }
}
