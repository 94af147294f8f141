//! The image under check, and everything that was found out about it so far.
//!
//! Several checks look at one training, one server, one view. Each of those is made when the first
//! check asks for it, and kept.

use std::sync::OnceLock;
use std::time::Duration;

use super::repeat::{self, Warm};
use super::running::{self, Served, Started, Trained};
use super::startup::{self, Observed};
use super::{Need, image, secrets};
use crate::engine::Engine;
use crate::engine::call::Stop;
use crate::engine::session::{Ended, Session};
use crate::files::Entry;
use crate::image_toml::{ImageToml, ServedModel};
use crate::layout::Image;
use crate::place::{Input, Model, Mount, Order, Place, Word};
use crate::probe::observe::Opened;
use crate::probe::program::View;
use crate::trouble::{Result, cannot};

/// The image under test.
#[derive(Debug)]
pub struct Subject {
    /// Its configuration and files.
    pub image: Image,
    /// `image.toml`
    pub toml: ImageToml,
    /// The engine; `None` for an archive.
    pub session: Option<Session>,
    /// As the engine knows the image.
    pub id: String,
    /// `train` and `serve`, if the image claims them.
    pub roles: Vec<Word>,
    /// An interrupt.
    pub stop: Stop,
    /// The day, `2027-03-31`.
    pub today: String,
    /// How long a training or a start may take at most, from the command line.
    pub limit: Option<Duration>,
    /// The architecture that containers run on.
    pub architecture: String,
    started: [OnceLock<Result<Started>>; PLACES * 2],
    trained: [OnceLock<Result<Trained>>; PLACES],
    served: [OnceLock<Result<Served>>; PLACES],
    by_argument: OnceLock<Result<running::ByArgument>>,
    observed: OnceLock<Result<Observed>>,
    failed: [OnceLock<Result<Trained>>; PLACES],
    with_secrets: [OnceLock<Result<Ended>>; PLACES],
    warm: OnceLock<Result<Warm>>,
}

const PLACES: usize = Place::ALL.len();

const ML: &str = "/opt/ml";
const RUN: &str = "/run";

impl Subject {
    /// An image, of which nothing is known but its files.
    #[must_use]
    pub fn new(image: Image, toml: ImageToml, architecture: &str) -> Self {
        let roles = image::roles(&image, &toml);
        Self {
            image,
            toml,
            session: None,
            id: String::new(),
            roles,
            stop: Stop::default(),
            today: String::new(),
            limit: None,
            architecture: architecture.to_owned(),
            started: [const { OnceLock::new() }; PLACES * 2],
            trained: [const { OnceLock::new() }; PLACES],
            served: [const { OnceLock::new() }; PLACES],
            by_argument: OnceLock::new(),
            observed: OnceLock::new(),
            failed: [const { OnceLock::new() }; PLACES],
            with_secrets: [const { OnceLock::new() }; PLACES],
            warm: OnceLock::new(),
        }
    }

    /// The profiles that are checked without `--profile`.
    #[must_use]
    pub fn profiles(&self) -> Vec<String> {
        let mut profiles = self.toml.profiles.clone();
        if profiles.is_empty() {
            profiles.push("base".to_owned());
            for (word, profile) in [(Word::Train, "training"), (Word::Serve, "serving")] {
                if self.roles.contains(&word) {
                    profiles.push(profile.to_owned());
                }
            }
        }
        // A budget that nothing is held to would be one more thing that people only believe.
        let lazy = "lazy".to_owned();
        let meant = self.toml.budget.is_some() || self.toml.lazy.is_some();
        if meant && !profiles.contains(&lazy) {
            profiles.push(lazy);
        }
        profiles
    }

    /// Which of the needs is not there, as a reason.
    #[must_use]
    pub fn lacks(&self, needs: &[Need]) -> Option<String> {
        needs.iter().find_map(|need| {
            let (there, reason) = match need {
                Need::Engine => (
                    self.session.is_some(),
                    "no container engine: an image in an archive is not started",
                ),
                Need::Runtime => (
                    image::has_runtime(&self.image.config.config),
                    "lyftlearn-runtime is not this image's entry point",
                ),
                Need::Training => (
                    self.roles.contains(&Word::Train),
                    "the image has no command for `train`, and image.toml claims no role training",
                ),
                Need::Serving => (
                    self.roles.contains(&Word::Serve),
                    "the image has no command for `serve`, and image.toml claims no role serving",
                ),
                Need::TrainSection => (self.toml.train.is_some(), "image.toml has no [train]"),
                Need::ServeSection => (self.toml.serve.is_some(), "image.toml has no [serve]"),
                Need::RoleSection if self.roles.contains(&Word::Serve) => {
                    (self.toml.serve.is_some(), "image.toml has no [serve]")
                }
                Need::RoleSection if self.roles.contains(&Word::Train) => {
                    (self.toml.train.is_some(), "image.toml has no [train]")
                }
                Need::RoleSection => (false, "the image claims no role"),
            };
            (!there).then(|| reason.to_owned())
        })
    }

    /// The engine.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn session(&self) -> Result<&Session> {
        match &self.session {
            Some(session) => Ok(session),
            None => cannot("no engine"),
        }
    }

    /// What every secret of this run is.
    #[must_use]
    pub fn canary(&self) -> String {
        let canary = self.session.as_ref().map(Session::canary);
        canary.unwrap_or_default().to_owned()
    }

    /// How long something may take.
    #[must_use]
    pub fn limit(&self, seconds: u64) -> Duration {
        let own = Duration::from_secs(seconds);
        self.limit.map_or(own, |limit| own.min(limit))
    }

    /// A container of the image in a place. Where a volume takes the place of the image's `/opt/ml`, files stay
    /// that the platform would leave: code of SageMaker's training toolkit is in `/opt/ml/code`.
    ///
    /// Docker makes no `/run` in an image that has none. The runtime would use a place in memory, and how it ended
    /// could not be read afterwards.
    #[must_use]
    pub fn order(&self, place: Place, word: Option<Word>, input: &Input) -> Order {
        let mut order = place.order(&self.id, word, input);
        for mount in order.mounts.iter_mut().filter(|mount| mount.target == ML) {
            let below = self.image.tree.below(ML);
            let names = below.filter_map(|(path, _)| path.split('/').nth(2));
            let mut own: Vec<&str> = names
                .filter(|name| !place.mounts().contains(name))
                .collect();
            own.dedup();
            mount.own = own.into_iter().map(str::to_owned).collect();
        }
        let docker = self
            .session
            .as_ref()
            .is_some_and(|session| session.engine() == Engine::Docker);
        if docker && !order.restricted && self.image.tree.find(RUN).is_none() {
            order.mounts.push(Mount {
                target: RUN.to_owned(),
                entries: vec![Entry::directory(".", 0o755)],
                ..Mount::default()
            });
        }
        order
    }

    /// The team's job, with other hyperparameters in place of the good ones where they are given.
    ///
    /// # Errors
    ///
    /// When a channel's directory cannot be read.
    pub fn job(&self, other: Option<&[(String, String)]>) -> Result<Input> {
        let mut input = Input {
            canary: self.canary(),
            ..Input::default()
        };
        if let Some(train) = &self.toml.train {
            input.hyperparameters = train.hyperparameters.clone();
            for (name, value) in other.unwrap_or_default() {
                input.hyperparameters.retain(|(known, _)| known != name);
                input.hyperparameters.push((name.clone(), value.clone()));
            }
            for (name, directory) in &train.channels {
                input
                    .channels
                    .push((name.clone(), Entry::tree(directory, ".")?));
            }
        }
        Ok(input)
    }

    /// The team's model to serve.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or the training that is to make it failed.
    pub fn model(&self) -> Result<Input> {
        let model = match self
            .toml
            .serve
            .as_ref()
            .and_then(|serve| serve.model.as_ref())
        {
            None => Model::None,
            Some(ServedModel::Directory(directory)) => Model::Files(Entry::tree(directory, ".")?),
            Some(ServedModel::Trained) => {
                let trained = self.trained(Place::SagemakerTraining)?;
                if trained.ended.code != Some(0) {
                    return cannot("the training that makes the model failed: see train.completes");
                }
                Model::Trained(trained.container.volumes[0].clone())
            }
        };
        Ok(Input {
            model,
            canary: self.canary(),
            ..Input::default()
        })
    }

    /// The image started in a place, with the probe as its program.
    ///
    /// # Errors
    ///
    /// When the engine cannot.
    pub fn started(&self, place: Place, word: Word) -> Result<&Started> {
        let cell = &self.started[place as usize * 2 + word as usize];
        cell.get_or_init(|| running::start(self, place, word))
            .as_ref()
            .map_err(Clone::clone)
    }

    /// The image's own training in a place, ended.
    ///
    /// # Errors
    ///
    /// When the engine cannot.
    pub fn trained(&self, place: Place) -> Result<&Trained> {
        let cell = &self.trained[place as usize];
        cell.get_or_init(|| running::train(self, place, None))
            .as_ref()
            .map_err(Clone::clone)
    }

    /// The image's own training in a place, which was made to fail.
    ///
    /// # Errors
    ///
    /// When the engine cannot.
    pub fn failed(&self, place: Place) -> Result<&Trained> {
        let train = self.toml.train.as_ref();
        let failure = train.and_then(|train| train.failure.as_ref());
        let other = failure.map(|failure| failure.hyperparameters.as_slice());
        self.failed[place as usize]
            .get_or_init(|| running::train(self, place, other))
            .as_ref()
            .map_err(Clone::clone)
    }

    /// A start with secrets of a stand-in, ended.
    ///
    /// # Errors
    ///
    /// When the engine cannot.
    pub fn with_secrets(&self, place: Place, word: Word) -> Result<&Ended> {
        self.with_secrets[place as usize]
            .get_or_init(|| secrets::start(self, place, word))
            .as_ref()
            .map_err(Clone::clone)
    }

    /// Two trainings with one cache, ended.
    ///
    /// # Errors
    ///
    /// When the engine cannot.
    pub fn warm(&self) -> Result<&Warm> {
        self.warm
            .get_or_init(|| repeat::warm(self))
            .as_ref()
            .map_err(Clone::clone)
    }

    /// The image's own server in a place, asked, put under load and stopped.
    ///
    /// # Errors
    ///
    /// When the engine cannot.
    pub fn served(&self, place: Place) -> Result<&Served> {
        let cell = &self.served[place as usize];
        cell.get_or_init(|| running::serve(self, place))
            .as_ref()
            .map_err(Clone::clone)
    }

    /// Whether the entry point starts the program that its arguments name.
    ///
    /// # Errors
    ///
    /// When the engine cannot.
    pub fn by_argument(&self) -> Result<&running::ByArgument> {
        self.by_argument
            .get_or_init(|| running::by_argument(self))
            .as_ref()
            .map_err(Clone::clone)
    }

    /// The image's own start, observed.
    ///
    /// # Errors
    ///
    /// When the engine cannot.
    pub fn observed(&self) -> Result<&Observed> {
        self.observed
            .get_or_init(|| startup::observe(self))
            .as_ref()
            .map_err(Clone::clone)
    }

    /// Files of the image that were opened at its start; empty if no start was observed.
    #[must_use]
    pub fn opened(&self) -> Vec<String> {
        let opened = self
            .at_the_start()
            .map(|opened| startup::of_image(self, opened));
        let all = opened.unwrap_or_default().into_iter();
        all.map(|(path, _)| path).collect()
    }

    /// The spans of each layer that this touched; empty if no start was observed.
    #[must_use]
    pub fn spans(&self) -> Vec<startup::Spans> {
        let opened = self.at_the_start();
        opened.map_or_else(Vec::new, |opened| startup::spans_of(self, opened))
    }

    fn at_the_start(&self) -> Option<&Opened> {
        let observed = self.observed.get()?.as_ref().ok()?;
        observed.failure.is_none().then_some(&observed.opened)
    }

    /// The views that were taken.
    #[must_use]
    pub fn views(&self) -> Vec<(Place, Word, View)> {
        let mut views = Vec::new();
        for place in Place::ALL {
            for word in [Word::Train, Word::Serve] {
                if let Some(Ok(started)) = self.started[*place as usize * 2 + word as usize].get()
                    && let Some(view) = &started.view
                {
                    views.push((*place, word, view.clone()));
                }
            }
        }
        views
    }
}
