//! Tables of files that are kept.

use super::{Parameter, Shape, honoured, required};
use crate::api::limits;

/// `POST /v1/files`, which takes a form.
pub const FILE_UPLOAD: &[Parameter] = &[
    required(
        "file",
        Shape::Bytes,
        "the file, of at most `documents.max_file_mib`",
    ),
    required("purpose", Shape::Word(&["user_data"]), "`user_data`"),
    honoured(
        "expires_after",
        Shape::Object(EXPIRES_AFTER),
        "absent: it is kept for `files.retention_hours`",
    ),
];

/// `expires_after`.
pub const EXPIRES_AFTER: &[Parameter] = &[
    required("anchor", Shape::Word(&["created_at"]), "`created_at`"),
    required(
        "seconds",
        Shape::Integer(
            limits::MIN_FILE_SECONDS as i64,
            limits::MAX_FILE_SECONDS as i64,
        ),
        "from an hour to 30 days",
    ),
];

/// The query of `GET /v1/files`.
pub const FILE_LIST: &[Parameter] = &[
    honoured("after", Shape::Text, "the files after the one of this id"),
    honoured(
        "limit",
        Shape::Integer(1, limits::MAX_LISTED_FILES as i64),
        "at most so many; absent: 10000",
    ),
    honoured(
        "order",
        Shape::Word(&["asc", "desc"]),
        "`asc` or `desc`, by `created_at`; absent: `desc`",
    ),
    honoured(
        "purpose",
        Shape::Text,
        "files of this purpose; there are none of another than `user_data`",
    ),
];
