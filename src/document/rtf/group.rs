use encoding_rs::Encoding;

/// Where a group's text goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    Body,
    Note,
    Header,
    Footer,
    /// The number of an item.
    Label,
    Title,
    Comment,
    Picture,
    Styles,
    /// Fonts, colors, instructions of fields and all that is unknown.
    Unseen,
}

impl Destination {
    /// Nothing in it is text of the document.
    pub fn is_unseen(self) -> bool {
        matches!(
            self,
            Self::Unseen | Self::Styles | Self::Comment | Self::Picture
        )
    }
}

#[derive(Debug, Clone)]
pub struct Group {
    pub destination: Destination,
    /// What follows may be left out by who does not know it.
    pub is_optional: bool,
    pub is_hidden: bool,
    pub is_deleted: bool,
    pub is_raised: bool,
    pub is_tiny: bool,
    /// How many characters of the code page stand for one in Unicode.
    pub num_stand_ins: usize,
}

pub const OUTSIDE: Group = Group {
    destination: Destination::Body,
    is_optional: false,
    is_hidden: false,
    is_deleted: false,
    is_raised: false,
    is_tiny: false,
    num_stand_ins: 1,
};

impl Default for Group {
    fn default() -> Self {
        OUTSIDE
    }
}

impl Group {
    /// A group within this one.
    pub fn child(&self) -> Self {
        Self {
            is_optional: false,
            ..self.clone()
        }
    }

    /// Takes note of a control word that says what the group is for, if it is one.
    pub fn enter(&mut self, name: &str) -> bool {
        let is_optional = std::mem::take(&mut self.is_optional);
        let destination = match name {
            "footnote" => Destination::Note,
            "header" | "headerl" | "headerr" | "headerf" => Destination::Header,
            "footer" | "footerl" | "footerr" | "footerf" => Destination::Footer,
            "listtext" | "pntext" => Destination::Label,
            "title" => Destination::Title,
            "annotation" => Destination::Comment,
            "pict" => Destination::Picture,
            "stylesheet" => Destination::Styles,
            // These hold text for the reader, optional as they are.
            "shptxt" | "shpinst" | "shppict" | "ud" | "fldrslt" => return false,
            "fonttbl" | "colortbl" | "info" | "fldinst" | "nonshppict" | "object" | "sn" | "sv"
            | "atnid" | "atnauthor" | "author" | "operator" | "subject" | "keywords"
            | "comment" | "doccomm" | "creatim" | "revtim" | "printim" | "upr" | "xe" | "tc"
            | "bkmkstart" | "bkmkend" | "listtable" | "listoverridetable" | "revtbl"
            | "rsidtbl" | "generator" | "themedata" | "colorschememapping" | "datastore"
            | "latentstyles" | "filetbl" | "ftnsep" | "ftnsepc" | "aftnsep" | "aftnsepc"
            | "private" | "pgdsctbl" => Destination::Unseen,
            _ if is_optional => Destination::Unseen,
            _ => return false,
        };
        // What is unseen hides all within it, but for the title in the information.
        if self.destination != Destination::Unseen || destination == Destination::Title {
            self.destination = destination;
        }
        true
    }

    /// The characters are as the style has them.
    pub fn plain(&mut self) {
        self.is_hidden = false;
        self.is_deleted = false;
        self.is_raised = false;
        self.is_tiny = false;
    }
}

pub fn code_page(number: i32) -> &'static Encoding {
    match number {
        65001 => encoding_rs::UTF_8,
        874 => encoding_rs::WINDOWS_874,
        932 => encoding_rs::SHIFT_JIS,
        936 => encoding_rs::GBK,
        949 => encoding_rs::EUC_KR,
        950 => encoding_rs::BIG5,
        10000 => encoding_rs::MACINTOSH,
        1250 => encoding_rs::WINDOWS_1250,
        1251 => encoding_rs::WINDOWS_1251,
        1253 => encoding_rs::WINDOWS_1253,
        1254 => encoding_rs::WINDOWS_1254,
        1255 => encoding_rs::WINDOWS_1255,
        1256 => encoding_rs::WINDOWS_1256,
        1257 => encoding_rs::WINDOWS_1257,
        1258 => encoding_rs::WINDOWS_1258,
        _ => encoding_rs::WINDOWS_1252,
    }
}
