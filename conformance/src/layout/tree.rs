//! An image's files, by their paths: what each is, and the content of the few that checks read.

use std::collections::BTreeMap;

/// What a path is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A plain file.
    File,
    /// A symbolic link, and what it points to.
    Link(String),
    /// A device, a pipe or a socket.
    Other,
}

/// One path of the image.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// Its permission bits.
    pub mode: u32,
    /// Its owner.
    pub uid: u64,
    /// Its group.
    pub gid: u64,
    /// Its size.
    pub bytes: u64,
    /// Its content, where a check reads it.
    pub content: Option<Vec<u8>>,
    /// The number of the layer that brought it.
    pub layer: usize,
    /// Where its content begins in that layer's tar.
    pub at: u64,
    /// Whether it is another name for a file that is counted elsewhere.
    pub linked: bool,
}

/// All paths of an image, without a leading slash.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    nodes: BTreeMap<String, Node>,
    /// Names in the layers that lead outside of the image. An engine ignores or refuses them.
    pub outside: Vec<String>,
    /// Bytes of files that a later layer replaced or deleted.
    pub hidden: u64,
}

/// So many symbolic links are followed, as the kernel does.
const LINKS: usize = 40;

impl Tree {
    /// Adds a path, and replaces an existing one.
    pub(crate) fn insert(&mut self, path: String, node: Node) {
        // A file in a directory's place hides all that was in it.
        if node.kind != Kind::Directory {
            self.remove_below(&path, node.layer);
        }
        let layer = node.layer;
        let replaced = self.nodes.insert(path, node);
        self.hide(replaced.as_ref(), layer);
    }

    /// Counts a file that this layer hides. A file that is replaced within one layer is in it once.
    fn hide(&mut self, node: Option<&Node>, layer: usize) {
        if let Some(node) = node
            && node.kind == Kind::File
            && !node.linked
            && node.layer < layer
        {
            self.hidden = self.hidden.saturating_add(node.bytes);
        }
    }

    /// Another name for a file that was put in before.
    pub(crate) fn hard_link(&mut self, path: String, target: &str, layer: usize) {
        if path == target {
            return;
        }
        if let Some(mut node) = self.nodes.get(target).cloned() {
            node.linked = true;
            let replaced = self.nodes.insert(path, node);
            self.hide(replaced.as_ref(), layer);
        }
    }

    pub(crate) fn remove(&mut self, path: &str, layer: usize) {
        self.remove_below(path, layer);
        let removed = self.nodes.remove(path);
        self.hide(removed.as_ref(), layer);
    }

    pub(crate) fn remove_below(&mut self, path: &str, layer: usize) {
        let beginning = if path.is_empty() {
            String::new()
        } else {
            format!("{path}/")
        };
        let from = self.nodes.range(beginning.clone()..);
        let below: Vec<String> = from
            .map(|(path, _)| path)
            .take_while(|path| path.starts_with(&beginning))
            .cloned()
            .collect();
        for path in below {
            let removed = self.nodes.remove(&path);
            self.hide(removed.as_ref(), layer);
        }
    }

    /// All paths, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.nodes.iter().map(|(path, node)| (path.as_str(), node))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether it is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Paths below a directory.
    pub fn below<'a>(
        &'a self,
        directory: &str,
    ) -> impl Iterator<Item = (&'a str, &'a Node)> + use<'a> {
        let beginning = format!("{}/", directory.trim_matches('/'));
        let from = self.nodes.range(beginning.clone()..);
        from.take_while(move |(path, _)| path.starts_with(&beginning))
            .map(|(path, node)| (path.as_str(), node))
    }

    /// The file at an absolute path, with links followed within the image, and its real path.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<(String, &Node)> {
        let mut ahead: Vec<String> = parts(path).rev().map(str::to_owned).collect();
        let mut real: Vec<String> = Vec::new();
        let mut followed = 0;
        while let Some(part) = ahead.pop() {
            if part == ".." {
                real.pop();
                continue;
            }
            real.push(part);
            let here = real.join("/");
            if let Some(Node {
                kind: Kind::Link(target),
                ..
            }) = self.nodes.get(&here)
            {
                followed += 1;
                if followed > LINKS {
                    return None;
                }
                real.pop();
                if target.starts_with('/') {
                    real.clear();
                }
                ahead.extend(parts(target).rev().map(str::to_owned));
            }
        }
        let path = real.join("/");
        let node = self.nodes.get(&path)?;
        Some((path, node))
    }

    /// An executable as a shell finds it: by its path, or in the directories of PATH.
    #[must_use]
    pub fn executable(&self, name: &str, path: &str, directory: &str) -> Option<(String, &Node)> {
        let candidates: Vec<String> = if name.starts_with('/') {
            vec![name.to_owned()]
        } else if name.contains('/') {
            vec![format!("{directory}/{name}")]
        } else {
            path.split(':')
                .map(|directory| format!("{directory}/{name}"))
                .collect()
        };
        let found = candidates.iter().filter_map(|path| self.find(path));
        let mut runnable =
            found.filter(|(_, node)| node.kind == Kind::File && node.mode & 0o111 != 0);
        runnable.next()
    }
}

fn parts(path: &str) -> impl DoubleEndedIterator<Item = &str> {
    path.split('/')
        .filter(|part| !part.is_empty() && *part != ".")
}

#[cfg(test)]
mod tests {
    use super::{Kind, Node, Tree};

    fn node(kind: Kind) -> Node {
        Node {
            kind,
            mode: 0o755,
            uid: 0,
            gid: 0,
            bytes: 0,
            content: None,
            layer: 0,
            at: 0,
            linked: false,
        }
    }

    #[test]
    fn links_are_followed_within_the_image_alone() {
        let mut tree = Tree::default();
        tree.insert("usr/bin/python3.11".to_owned(), node(Kind::File));
        tree.insert(
            "usr/bin/python3".to_owned(),
            node(Kind::Link("python3.11".to_owned())),
        );
        tree.insert("bin".to_owned(), node(Kind::Link("usr/bin".to_owned())));
        tree.insert(
            "up".to_owned(),
            node(Kind::Link("../../../../usr/bin/python3".to_owned())),
        );
        tree.insert("loop".to_owned(), node(Kind::Link("/loop".to_owned())));
        for path in ["/bin/python3", "/up", "/usr/bin/../bin/python3"] {
            assert_eq!(tree.find(path).unwrap().0, "usr/bin/python3.11", "{path}");
        }
        assert!(tree.find("/loop").is_none());
        assert!(tree.executable("python3", "/nowhere:/bin", "/").is_some());
        assert!(tree.executable("./python3", "", "/usr/bin").is_some());
        assert!(tree.executable("perl", "/bin", "/").is_none());
    }

    #[test]
    fn a_file_hides_the_directory_that_it_replaces() {
        let mut tree = Tree::default();
        tree.insert("a".to_owned(), node(Kind::Directory));
        tree.insert("a/b".to_owned(), node(Kind::File));
        tree.insert("ab".to_owned(), node(Kind::File));
        tree.insert("a".to_owned(), node(Kind::File));
        assert_eq!(
            tree.iter().map(|(path, _)| path).collect::<Vec<_>>(),
            ["a", "ab"]
        );
    }

    #[test]
    fn bytes_are_hidden_once_and_by_later_layers_alone() {
        let file = |layer, bytes| Node {
            bytes,
            layer,
            ..node(Kind::File)
        };
        let mut tree = Tree::default();
        tree.insert("d".to_owned(), node(Kind::Directory));
        tree.insert("d/a".to_owned(), file(0, 100));
        tree.insert("d/a".to_owned(), file(0, 10));
        tree.insert("d/b".to_owned(), file(0, 20));
        tree.hard_link("d/c".to_owned(), "d/b", 0);
        assert_eq!(tree.hidden, 0);
        tree.insert("d/a".to_owned(), file(1, 5));
        assert_eq!(tree.hidden, 10);
        tree.remove("d/c", 1);
        assert_eq!(tree.hidden, 10, "the other name still has the bytes");
        tree.remove("d", 2);
        assert_eq!(tree.hidden, 35);
    }
}
