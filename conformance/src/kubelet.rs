//! A kubelet's files as a container sees them: the pod's directory, whose paths are in the mount
//! table, and volumes in the kubelet's layout.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::programs;

/// The directory of a volume's present files, to which `..data` points.
pub const GENERATION: &str = "..2026_01_01_00_00_00.123456789";

/// A pod, and its directory on the node.
#[derive(Debug)]
pub struct Pod {
    directory: PathBuf,
    /// The pod's UID.
    pub uid: String,
    /// Its name, and so its host name.
    pub name: String,
    container: String,
}

/// What of a pod's specification differs from one pod to the next.
#[derive(Clone, Debug)]
pub struct Manifest<'a> {
    /// The image of its one container.
    pub image: &'a str,
    /// `args`.
    pub args: &'a [&'a str],
    /// `runtime.toml` in its config map.
    pub settings: &'a str,
    /// `env`, beyond the kubelet's own.
    pub variables: &'a [(&'a str, &'a str)],
    /// Mounted at `/opt/ml/model`.
    pub model: &'a Path,
}

impl Pod {
    /// Makes the directory below `kubelet`, the kubelet's root directory.
    ///
    /// # Panics
    ///
    /// When it cannot be made.
    #[must_use]
    pub fn lay_out(kubelet: &Path, name: &str, container: &str) -> Self {
        let uid = "6f1d8a52-3c0b-4b7e-9a51-0d2f6c9e7b14".to_owned();
        let directory = kubelet.join("pods").join(&uid);
        std::fs::create_dir_all(directory.join("containers").join(container))
            .expect("a pod's directory can be made");
        let hosts = format!(
            "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n\
             fe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n\
             10.244.0.7\t{name}\n"
        );
        std::fs::write(directory.join("etc-hosts"), hosts).expect("a pod's file can be written");
        let pod = Self {
            directory,
            uid,
            name: name.to_owned(),
            container: container.to_owned(),
        };
        std::fs::write(pod.termination_log(), "").expect("a pod's file can be written");
        // The kubelet makes it for any user.
        let mode = std::fs::Permissions::from_mode(0o666);
        std::fs::set_permissions(pod.termination_log(), mode).expect("a mode can be set");
        pod
    }

    /// Mounted at `/etc/hosts`.
    #[must_use]
    pub fn hosts(&self) -> PathBuf {
        self.directory.join("etc-hosts")
    }

    /// Mounted at the termination message path.
    #[must_use]
    pub fn termination_log(&self) -> PathBuf {
        self.directory
            .join("containers")
            .join(&self.container)
            .join("0a1b2c3d")
    }

    /// Its YAML.
    ///
    /// # Panics
    ///
    /// When the template is not there.
    #[must_use]
    pub fn manifest(&self, manifest: &Manifest<'_>) -> String {
        let template = programs::repository().join("conformance/engine/pod.yaml");
        let template = std::fs::read_to_string(template).expect("the template is there");
        let own = self.variables();
        let own = own
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let variables: Value = own
            .chain(manifest.variables.iter().copied())
            .map(|(name, value)| json!({ "name": name, "value": value }))
            .collect();
        // JSON is YAML.
        let path = |path: &Path| json!(path.to_string_lossy()).to_string();
        [
            ("@NAME@", self.name.clone()),
            ("@CONTAINER@", self.container.clone()),
            ("@IMAGE@", manifest.image.to_owned()),
            ("@ARGS@", json!(manifest.args).to_string()),
            ("@SETTINGS@", json!(manifest.settings).to_string()),
            ("@VARIABLES@", variables.to_string()),
            ("@MODEL@", path(manifest.model)),
            ("@HOSTS@", path(&self.hosts())),
            ("@TERMINATION_LOG@", path(&self.termination_log())),
        ]
        .iter()
        .fold(template, |text, (place, value)| text.replace(place, value))
    }

    /// A volume of `kind` (`configmap`, `projected`, …): the files in a directory with
    /// a time in its name, `..data` pointing at it, and a link for each file.
    ///
    /// # Panics
    ///
    /// When it cannot be written.
    #[must_use]
    pub fn volume(&self, kind: &str, name: &str, files: &[(&str, &str)]) -> PathBuf {
        let volume = self
            .directory
            .join(format!("volumes/kubernetes.io~{kind}/{name}"));
        let generation = GENERATION;
        std::fs::create_dir_all(volume.join(generation)).expect("a volume can be made");
        symlink(generation, volume.join("..data")).expect("a volume's link can be made");
        for (file, text) in files {
            std::fs::write(volume.join(generation).join(file), text)
                .expect("a volume's file can be written");
            symlink(format!("..data/{file}"), volume.join(file))
                .expect("a volume's link can be made");
        }
        volume
    }

    /// What the kubelet sets in every container.
    #[must_use]
    pub fn variables(&self) -> Vec<(String, String)> {
        service_variables(&self.name)
    }
}

/// What the kubelet sets in every container of the pod.
#[must_use]
pub fn service_variables(pod: &str) -> Vec<(String, String)> {
    [
        ("KUBERNETES_SERVICE_HOST", "10.96.0.1"),
        ("KUBERNETES_SERVICE_PORT", "443"),
        ("KUBERNETES_SERVICE_PORT_HTTPS", "443"),
        ("KUBERNETES_PORT", "tcp://10.96.0.1:443"),
        ("KUBERNETES_PORT_443_TCP", "tcp://10.96.0.1:443"),
        ("KUBERNETES_PORT_443_TCP_PROTO", "tcp"),
        ("KUBERNETES_PORT_443_TCP_PORT", "443"),
        ("KUBERNETES_PORT_443_TCP_ADDR", "10.96.0.1"),
        ("HOSTNAME", pod),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}
