//! Job state events: SageMaker's words for the state of a job, and what carries them.

/// A prefix that a source must not have: it is reserved for AWS.
pub(crate) const AWS_SOURCE: &str = "aws.";
/// Destinations, as the setting spells them.
pub(crate) const EVENTBRIDGE: &str = "eventbridge:";
pub(crate) const SQS: &str = "sqs:";
pub(crate) const FILE: &str = "file:";
/// At the end of the name of a queue that keeps the order.
pub(crate) const FIFO: &str = ".fifo";

/// Where the services are called instead (the service id of EventBridge, not of its endpoint).
pub(crate) const SQS_ENDPOINT: &str = "AWS_ENDPOINT_URL_SQS";
pub(crate) const EVENTBRIDGE_ENDPOINT: &str = "AWS_ENDPOINT_URL_EVENTBRIDGE";

/// Destinations of one job.
pub(crate) const DESTINATIONS: usize = 4;
/// A name, or a source: EventBridge takes no longer one.
pub(crate) const NAME_CHARACTERS: usize = 256;
/// All tags of an event, as JSON. Everything else of it has room in the rest of 32 KiB.
pub(crate) const TAGS_BYTES: usize = 8 << 10;
/// The message of a progress.
#[cfg(all(feature = "agent", feature = "cli"))]
pub(crate) const PROGRESS_CHARACTERS: usize = 256;
/// `FailureReason` and `ExitMessage` of SageMaker's API, in units of UTF-16.
#[cfg(all(feature = "agent", feature = "cli"))]
pub(crate) const REASON_UNITS: usize = 1_024;
/// What every event stays below: each destination takes more.
#[cfg(test)]
pub(crate) const EVENT_BYTES: usize = 32 << 10;

/// The file of the last progress, in the run directory.
pub(crate) const PROGRESS_FILE: &str = "progress.json";

#[cfg(all(feature = "agent", feature = "cli"))]
mod words {
    /// What SageMaker's API calls the parts of one kind of job.
    #[derive(Debug)]
    pub(crate) struct Words {
        pub(crate) detail_type: &'static str,
        pub(crate) name: &'static str,
        pub(crate) status: &'static str,
        pub(crate) started: &'static str,
        pub(crate) ended: &'static str,
        /// Where the reason of any end goes.
        pub(crate) exit_message: Option<&'static str>,
        /// The secondary status while the program runs.
        pub(crate) running: &'static str,
    }

    pub(crate) const TRAINING: Words = Words {
        detail_type: "SageMaker Training Job State Change",
        name: "TrainingJobName",
        status: "TrainingJobStatus",
        started: "TrainingStartTime",
        ended: "TrainingEndTime",
        exit_message: None,
        running: "Training",
    };
    pub(crate) const PROCESSING: Words = Words {
        detail_type: "SageMaker Processing Job State Change",
        name: "ProcessingJobName",
        status: "ProcessingJobStatus",
        started: "ProcessingStartTime",
        ended: "ProcessingEndTime",
        exit_message: Some("ExitMessage"),
        running: "InProgress",
    };
    pub(crate) const TRANSFORM: Words = Words {
        detail_type: "SageMaker Transform Job State Change",
        name: "TransformJobName",
        status: "TransformJobStatus",
        started: "TransformStartTime",
        ended: "TransformEndTime",
        exit_message: None,
        running: "InProgress",
    };

    /// What a node says that is not the job's voice.
    pub(crate) const NODE: &str = "LyftLearn Node State Change";
    /// The detail type of progress on a platform that reports the states itself.
    pub(crate) const PROGRESS: &str = "LyftLearn Job Progress";

    pub(crate) const IN_PROGRESS: &str = "InProgress";
    pub(crate) const STARTING: &str = "Starting";
    pub(crate) const STOPPING: &str = "Stopping";
    pub(crate) const STOPPED: &str = "Stopped";
    pub(crate) const COMPLETED: &str = "Completed";
    pub(crate) const FAILED: &str = "Failed";

    pub(crate) const SECONDARY_STATUS: &str = "SecondaryStatus";
    pub(crate) const FAILURE_REASON: &str = "FailureReason";
    pub(crate) const CREATED: &str = "CreationTime";
    pub(crate) const MODIFIED: &str = "LastModifiedTime";
    pub(crate) const TAGS: &str = "Tags";
    pub(crate) const TRANSITIONS: &str = "SecondaryStatusTransitions";
    /// What SageMaker has no word for.
    pub(crate) const OWN: &str = "LyftLearn";
    /// The version of that.
    pub(crate) const VERSION: u32 = 1;

    /// As CloudEvents have the three.
    pub(crate) const CLOUD_STATE: &str = "lyftlearn.job.state";
    pub(crate) const CLOUD_NODE: &str = "lyftlearn.node.state";
    pub(crate) const CLOUD_PROGRESS: &str = "lyftlearn.job.progress";
    /// Their version, and what their data is.
    pub(crate) const CLOUD_VERSION: &str = "1.0";
    pub(crate) const JSON: &str = "application/json";

    /// The service name in signatures, the operation, and the action that a policy must allow.
    pub(crate) const EVENTBRIDGE_SERVICE: &str = "events";
    pub(crate) const PUT_EVENTS: &str = "AWSEvents.PutEvents";
    pub(crate) const EVENTBRIDGE_ACTION: &str = "events:PutEvents";
    pub(crate) const SQS_SERVICE: &str = "sqs";
    pub(crate) const SEND_MESSAGE: &str = "AmazonSQS.SendMessage";
    pub(crate) const SQS_ACTION: &str = "sqs:SendMessage";
    /// A CloudEvent in structured mode.
    pub(crate) const CLOUD_EVENTS: &str = "application/cloudevents+json";
}
#[cfg(all(feature = "agent", feature = "cli"))]
pub(crate) use words::*;
